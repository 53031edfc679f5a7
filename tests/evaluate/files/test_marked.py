from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import InvalidInput
from noria.evaluate.files.marked import MAX_BYTES, Document


def value(text: str | bytes) -> Any:
    return Document(text.encode() if isinstance(text, str) else text, name="f.yaml").value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[yes, no, on, off, 12:30, 2026-01-02]", ["yes", "no", "on", "off", "12:30", "2026-01-02"]),
        ("[true, False, ~, null, ]", [True, False, None, None]),
        ("[1, -2, 1.5, 1e-3, .5, 012, '3']", [1, -2, 1.5, 0.001, 0.5, 12, "3"]),
        ("[.inf, .nan, 0x10]", [".inf", ".nan", "0x10"]),
        ("a:\n", {"a": None}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("1: one", {"1": "one"}),
        ("\ufeffa: 1", {"a": 1}),
    ],
)
def test_scalars_follow_the_core_of_yaml_1_2(text: str, expected: Any) -> None:
    assert value(text) == expected


def test_every_value_knows_its_place() -> None:
    document = Document(b"a:\n  - b: 1\n    c: {d: [x, y]}\n", name="f.yaml")
    assert document.where(("a", 0, "c", "d", 1)) == "f.yaml:3:16"
    assert document.where(("a", 0, "c")) == "f.yaml:3:5"
    assert document.where(("a", 0, "gone", "deeper")) == "f.yaml:2:5"
    assert document.where() == "f.yaml:1:1"


def test_aliases_and_merges_are_expanded() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [{x: 9}, *a]}\nd: *a\n"
    found = value(text)
    assert found["b"] == {"x": 1, "y": 3}
    assert found["c"] == {"x": 9, "y": 2}
    assert found["d"] == {"x": 1, "y": 2}
    assert Document(text.encode(), name="f").where(("b",)) == "f:2:1"


BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\na: 2", 'f.yaml:2:1: the key "a" is there twice'),
        ("a: &a [*a]", "nested more than 40 levels"),
        ("[" * 200 + "]" * 200, "nested more than 40 levels"),
        ("[" * 1_000, "nested more than 40 levels"),
        (BOMB, "more than 100000 values, aliases expanded"),
        (
            "a: !!python/object/apply:os.system [x]",
            "f.yaml:1:4: the tag tag:yaml.org,2002:python/object/apply:os.system",
        ),
        ("!!set {a}", "the tag tag:yaml.org,2002:set is not allowed"),
        ("!!timestamp 2026-01-01", "is not allowed here"),
        ("!!int x", "x is not a number"),
        ("1e999", "too large for a number"),
        ("9" * 5000, "is not a number"),
        ("? [a]\n: 1", "f.yaml:1:3: a key must be text"),
        ("<<: 3", "<< takes a mapping"),
        ("a: [", "f.yaml:1:5: this is not YAML"),
        ("a: 1\n---\nb: 2", "another document"),
        ("a: *gone", "undefined alias"),
        ("a: \x00", "this is not YAML"),
        (b"a: \xff", "byte 0xff at offset 3 is not UTF-8"),
        ("# nothing", "f.yaml is empty"),
        ("#" * (MAX_BYTES + 1), f"at most {MAX_BYTES}"),
    ],
)
def test_what_is_refused(text: str | bytes, sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        value(text)
    assert sentence in str(caught.value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="ascii", categories=["L"]), max_size=9), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(JSON)
def test_reads_what_a_dumper_writes(data: Any) -> None:
    text = yaml.safe_dump(data, allow_unicode=True)
    if text.strip() in {"", "null", "null\n..."}:
        data = None
    assert value(text) == data
