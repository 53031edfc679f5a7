from .subjects import judged, scorer, value


async def test_the_whole_answer_has_to_be_a_label():
    assert await value("one_of", " yes\n", labels=["yes", "no"]) is True
    assert await value("one_of", "yes.", labels=["yes", "no"]) is False
    assert await value("one_of", "YES", labels=["yes", "no"]) is False
    assert await value("one_of", "YES", labels=["yes", "no"], ignore_case=True) is True
    assert await value("one_of", " yes", labels=["yes", "no"], strip=False) is False
    assert (await judged("one_of", "no", labels=["yes", "no"])).metadata == {"label": "no"}


def test_it_can_watch_live_traffic():
    assert scorer("one_of", labels=["a"]).needs == {"output"}
