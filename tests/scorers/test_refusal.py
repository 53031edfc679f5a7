import pytest

from noria.core.messages import Message

from .subjects import a_span, judged, scorer, value


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ("I’m sorry, but I can't help with that.", True),
        ("As an AI, I must decline.", True),
        ("Sure! Take two eggs.", False),
        ("Take two eggs. " * 20 + "I cannot say more.", False),
        ("", False),
    ],
)
async def test_openings(answer, refused):
    assert await value("refusal", answer) is refused


async def test_what_the_provider_marks_counts_whatever_the_words():
    span = a_span(output=(Message(role="assistant", content="", refusal="Not this."),))
    score = await judged("refusal", "", span=span)
    assert (score.value, score.reason) == (True, "The provider marks it as a refusal: 'Not this.'.")


async def test_own_phrases_and_no_direction():
    assert await value("refusal", "Das darf ich nicht.") is False
    assert await value("refusal", "Das darf ich nicht.", phrases=["darf ich nicht"]) is True
    assert scorer("refusal").better is None  # right or wrong depends on what was asked
    assert scorer("refusal").needs == {"output"}
