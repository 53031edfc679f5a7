import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from noria.core.errors import InvalidInput, UnknownName
from noria.core.prompts import Block, LabelMove, Prompt, Variable
from noria.stores.catalogue import Catalogue


def prompt(text: str = "Say {{ word }}") -> Prompt:
    return Prompt(blocks=(Block(role="user", template=text),), variables={"word": Variable()})


def test_a_first_push_is_version_1_and_says_so(catalogue: Catalogue) -> None:
    version, new = catalogue.prompts.push("greet", prompt(), by="ada", note="first try")
    assert new
    assert (version.name, version.version, version.prompt, version.labels) == ("greet", 1, prompt(), ())
    assert (version.note, version.created_by) == ("first try", "ada")
    assert version.created_ns > 0
    assert version.prompt_id == prompt().id
    assert catalogue.prompts.get("greet") == version


def test_other_content_is_the_next_version(catalogue: Catalogue) -> None:
    catalogue.prompts.push("greet", prompt("a"), by="ada")
    version, new = catalogue.prompts.push("greet", prompt("b"), by="bob")
    assert (version.version, new) == (2, True)
    assert catalogue.prompts.get("greet").version == 2
    assert [item.version for item in catalogue.prompts.history("greet")] == [2, 1]


def test_known_content_makes_no_new_version(catalogue: Catalogue) -> None:
    first, _ = catalogue.prompts.push("greet", prompt("a"), by="ada", note="kept")
    catalogue.prompts.push("greet", prompt("b"), by="ada")
    again, new = catalogue.prompts.push("greet", prompt("a"), by="bob", note="ignored")
    assert (again, new) == (first, False)
    assert len(catalogue.prompts.history("greet")) == 2


def test_one_template_may_have_two_names(catalogue: Catalogue) -> None:
    one, _ = catalogue.prompts.push("greet", prompt(), by="ada")
    two, new = catalogue.prompts.push("hello", prompt(), by="ada")
    assert new
    assert catalogue.prompts.find(prompt().id) == [one, two]
    assert catalogue.prompts.find(prompt("other").id) == []


def test_get_takes_a_number_a_label_or_an_id(catalogue: Catalogue) -> None:
    for text in ("a", "b", "c"):
        catalogue.prompts.push("greet", prompt(text), by="ada")
    catalogue.prompts.label("greet", "production", "2", by="ada")
    digits = prompt("a").id.removeprefix("prompt_")
    for ref, version in [("1", 1), ("production", 2), (digits[:6], 1), (f"prompt_{digits[:6]}", 1), (digits, 1)]:
        assert catalogue.prompts.get("greet", ref).version == version, ref
    assert catalogue.prompts.get("greet").version == 3


def test_get_refuses_what_is_no_version(catalogue: Catalogue) -> None:
    catalogue.prompts.push("greet", prompt(), by="ada")
    for ref in ("4", "0", "staging", "abc", "prompt_", "prompt_ff", "9" * 20, "%%%%%%", "", "a\0bcdef"):
        with pytest.raises(UnknownName):
            catalogue.prompts.get("greet", ref)


def test_an_unknown_version_names_what_there_is(catalogue: Catalogue) -> None:
    catalogue.prompts.push("greet", prompt(), by="ada")
    catalogue.prompts.label("greet", "production", "1", by="ada")
    with pytest.raises(UnknownName, match=r"'greet' has no version '7'.*versions 1 to 1; its labels: production"):
        catalogue.prompts.get("greet", "7")


def test_an_id_of_another_name_is_not_found(catalogue: Catalogue) -> None:
    catalogue.prompts.push("greet", prompt("a"), by="ada")
    catalogue.prompts.push("other", prompt("b"), by="ada")
    with pytest.raises(UnknownName, match="Prompt 'greet' has no version 'prompt_"):
        catalogue.prompts.get("greet", prompt("b").id)


def test_an_unknown_prompt_names_the_nearest(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownName, match="There is none yet"):
        catalogue.prompts.get("greet")
    catalogue.prompts.push("greet", prompt(), by="ada")
    with pytest.raises(UnknownName, match=r"no prompt 'gret'. Did you mean greet\?"):
        catalogue.prompts.get("gret")
    with pytest.raises(UnknownName, match="There are: greet"):
        catalogue.prompts.history("zzz")
    with pytest.raises(UnknownName):
        catalogue.prompts.label_history("zzz")
    with pytest.raises(UnknownName):
        catalogue.prompts.label("zzz", "production", "1", by="ada")


def test_by_id_takes_a_unique_beginning(catalogue: Catalogue) -> None:
    catalogue.prompts.push("greet", prompt(), by="ada")
    whole = prompt().id
    for given in (whole, whole[:13], whole.removeprefix("prompt_")[:6]):
        assert catalogue.prompts.by_id(given) == prompt()
    with pytest.raises(UnknownName, match="at least six"):
        catalogue.prompts.by_id(whole[:12])
    with pytest.raises(UnknownName, match="starts with"):
        catalogue.prompts.by_id("prompt_zzzzzz")


def test_an_ambiguous_id_lists_the_candidates(catalogue: Catalogue) -> None:
    ids = [catalogue.prompts.push("many", prompt(text), by="ada")[0].prompt_id for text in ("a", "b")]
    with pytest.raises(InvalidInput, match="could be several") as caught:
        catalogue.prompts.by_id("prompt")
    assert all(prompt_id in str(caught.value) for prompt_id in ids)
    with pytest.raises(InvalidInput, match="could be several"):
        catalogue.prompts.get("many", "prompt")


def test_list_shows_the_latest_of_each_name(catalogue: Catalogue) -> None:
    assert catalogue.prompts.list() == []
    catalogue.prompts.push("b", prompt("1"), by="ada")
    catalogue.prompts.push("a", prompt("2"), by="ada")
    catalogue.prompts.push("b", prompt("3"), by="ada")
    catalogue.prompts.label("b", "production", "2", by="ada")
    catalogue.prompts.label("b", "staging", "1", by="ada")
    listed = catalogue.prompts.list()
    assert [(item.name, item.version, item.labels) for item in listed] == [("a", 1, ()), ("b", 2, ("production",))]


def test_moving_a_label_is_recorded(catalogue: Catalogue) -> None:
    catalogue.prompts.push("greet", prompt("a"), by="ada")
    catalogue.prompts.push("greet", prompt("b"), by="ada")
    first = catalogue.prompts.label("greet", "production", "1", by="ada")
    assert (first.version, first.labels) == (1, ("production",))
    second = catalogue.prompts.label("greet", "production", "2", by="bob")
    assert (second.version, second.labels) == (2, ("production",))
    assert catalogue.prompts.get("greet", "1").labels == ()
    moves = catalogue.prompts.label_history("greet")
    assert [(move.version, move.moved_by) for move in moves] == [(2, "bob"), (1, "ada")]
    assert all(isinstance(move, LabelMove) for move in moves)
    assert moves[0].moved_ns > moves[1].moved_ns


def test_setting_a_label_where_it_is_records_nothing(catalogue: Catalogue) -> None:
    catalogue.prompts.push("greet", prompt(), by="ada")
    catalogue.prompts.label("greet", "production", "1", by="ada")
    catalogue.prompts.label("greet", "production", "1", by="bob")
    assert len(catalogue.prompts.label_history("greet")) == 1


def test_a_label_moves_back_by_another_labels_name(catalogue: Catalogue) -> None:
    for text in ("a", "b"):
        catalogue.prompts.push("greet", prompt(text), by="ada")
    catalogue.prompts.label("greet", "stable", "1", by="ada")
    catalogue.prompts.label("greet", "production", "2", by="ada")
    assert catalogue.prompts.label("greet", "production", "stable", by="ada").labels == ("production", "stable")


def test_a_bad_name_is_refused_with_the_rule(catalogue: Catalogue) -> None:
    for name in ("", "A", "a/b", ".a", "-a", "a b", "ä", "a" * 65, "a\n", "a\0"):
        with pytest.raises(InvalidInput, match="starting with a letter or digit"):
            catalogue.prompts.push(name, prompt(), by="ada")
        with pytest.raises(InvalidInput, match="starting with a letter or digit"):
            catalogue.prompts.get(name)
    assert catalogue.prompts.push("a" * 64, prompt(), by="ada")[1]


def test_a_bad_label_is_refused(catalogue: Catalogue) -> None:
    catalogue.prompts.push("greet", prompt(), by="ada")
    for label in ("1", "007", "Prod", "a/b", ""):
        with pytest.raises(InvalidInput, match="label"):
            catalogue.prompts.label("greet", label, "1", by="ada")
    assert catalogue.prompts.label_history("greet") == []


def test_text_that_no_database_holds_is_refused(catalogue: Catalogue) -> None:
    for note in ("a\0b", "\udcff"):
        with pytest.raises(InvalidInput, match="The note holds characters"):
            catalogue.prompts.push("greet", prompt(), by="ada", note=note)
    assert catalogue.prompts.list() == []


def test_templates_keep_every_character(catalogue: Catalogue) -> None:
    odd = prompt("NUL \0, quote ' \" \\, emoji 🎡, LS \u2028, combining e\u0301")
    catalogue.prompts.push("odd", odd, by='Ada\'s "friend"; DROP TABLE prompts; --')
    assert catalogue.prompts.get("odd").prompt == odd
    assert catalogue.prompts.by_id(odd.id) == odd


def test_eight_threads_push_versions_without_a_gap(catalogue: Catalogue) -> None:
    start = threading.Barrier(8)

    def push(thread: int) -> list[int]:
        start.wait()
        return [
            catalogue.prompts.push("greet", prompt(f"{thread}.{number}"), by=f"thread {thread}")[0].version
            for number in range(5)
        ]

    with ThreadPoolExecutor(8) as pool:
        versions = [version for mine in pool.map(push, range(8)) for version in mine]
    assert sorted(versions) == list(range(1, 41))
    assert [item.version for item in catalogue.prompts.history("greet")] == list(range(40, 0, -1))


def test_two_servers_on_one_database_push_versions_without_a_gap(catalogue: Catalogue, catalogue_url: str) -> None:
    start = threading.Barrier(2)

    def push(server: Catalogue) -> list[int]:
        start.wait()
        return [server.prompts.push("greet", prompt(f"{id(server)}.{n}"), by="x")[0].version for n in range(10)]

    with Catalogue.open(catalogue_url, now=lambda: 1) as other, ThreadPoolExecutor(2) as pool:
        versions = [version for mine in pool.map(push, [catalogue, other]) for version in mine]
    assert sorted(versions) == list(range(1, 21))


def test_eight_threads_push_one_content_as_one_version(catalogue: Catalogue) -> None:
    start = threading.Barrier(8)

    def push(_: int) -> tuple[int, bool]:
        start.wait()
        version, new = catalogue.prompts.push("greet", prompt(), by="x")
        return version.version, new

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(push, range(8)))
    assert sorted(seen) == [(1, False)] * 7 + [(1, True)]
