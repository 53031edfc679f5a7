import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import InvalidInput
from noria.scorers.texts import alternatives, as_text, normalised, shown, squad


@pytest.mark.parametrize(
    ("reference", "text"),
    [("yes", "yes"), (True, "true"), (42, "42"), (42.0, "42"), (0.5, "0.5"), ({"b": 1, "a": None}, '{"a":null,"b":1}')],
)
def test_references_of_any_type_become_texts(reference, text):
    assert as_text(reference) == text


def test_a_list_of_references_are_alternatives_and_an_empty_one_is_refused():
    assert alternatives(["a", 1]) == ("a", "1")
    assert alternatives("a") == ("a",)
    with pytest.raises(InvalidInput, match="empty list"):
        alternatives([])


def test_squad_normalisation_follows_the_script():
    assert squad("  The Cat, an  animal! ") == "cat animal"
    assert squad("Theatre") == "theatre"
    assert normalised("The  Cat", ignore_articles=True) == "Cat"
    assert normalised(" The  Cat ") == " The  Cat "


@given(st.text(alphabet="aAthne .,!Xx\n"))
def test_squad_normalisation_is_its_own_fixed_point_once_articles_are_gone(text):
    once = squad(text)
    assert once == " ".join(once.split())
    assert not {"a", "an", "the"} & set(once.split())


def test_long_texts_are_cut_for_people():
    assert shown("x" * 100, 10) == repr("x" * 9 + "…")
