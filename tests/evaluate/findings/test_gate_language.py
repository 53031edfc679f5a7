"""The grammar of gates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import InvalidInput
from noria.evaluate.findings.gate_language import (
    COUNTS,
    DIFFERENCE_FIELDS,
    ESTIMATE_FIELDS,
    Gate,
    check_names,
    parse_gate,
)

NAMES = st.from_regex(r"[A-Za-z][\w-]{0,8}", fullmatch=True).filter(lambda name: name not in {"difference", "latency"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accuracy.lower > 0.6", {"metric": "accuracy", "field": "lower", "operator": ">", "bound": 0.6}),
        (
            "few-shot:accuracy.mean >= 60 %",
            {"variant": "few-shot", "metric": "accuracy", "field": "mean", "operator": ">=", "bound": 0.6},
        ),
        (
            "accuracy.difference.lower>-2e-2",
            {"metric": "accuracy", "difference": True, "field": "lower", "operator": ">", "bound": -0.02},
        ),
        ("q4.1 : latency.p50 < 2", {"variant": "q4.1", "metric": "latency", "field": "p50", "operator": "<", "bound": 2}),
        ("sentiment.macro_f1.upper <= .9", {"metric": "sentiment.macro_f1", "field": "upper", "operator": "<=", "bound": 0.9}),
        ('"my variant":"my metric".n != 3', {"variant": "my variant", "metric": "my metric", "field": "n", "operator": "!=", "bound": 3}),
        ("errors == 0", {"field": "errors", "operator": "==", "bound": 0}),
        (" cost.total < 1. ", {"metric": "cost", "field": "total", "operator": "<", "bound": 1}),
        ("difference.mean > 1", {"metric": "difference", "field": "mean", "operator": ">", "bound": 1}),
    ],
)  # fmt: skip
def test_gates_are_taken_apart(text, expected):
    assert parse_gate(text) == Gate(text=text, **expected)


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("", "its end", "a metric"),
        ("accuracy", "its end", "a field"),
        ("accuracy > 0.6", "character 10", "accuracy.mean"),
        ("latency > 2", "character 9", "latency.p50"),
        ("accuracy.lover > 0.6", "character 10", "nearest: lower"),
        ("accuracy.difference.n > 1", "character 21", "one of mean, value, lower, upper, p"),
        ("accuracy.lower = 0.6", "character 16", "one of < <= > >= == !="),
        ("accuracy.lower >", "its end", "a number"),
        ("accuracy.lower > nan", "character 18", "a number"),
        ("accuracy.lower > 1e999", "character 18", "a smaller number"),
        ("accuracy.lower > 1 and", "character 20", "nothing more"),
        ("accuracy..lower > 1", "character 10", "a field"),
        ("few:few:accuracy.lower > 1", "character 8", "a field"),
        ("accuracy.p50 < 1", "character 10", "one of mean"),
        ('"" .lower > 1', "character 1", "a metric"),
    ],
)
def test_a_wrong_gate_says_where_and_what_was_expected(text, place, expected):
    with pytest.raises(InvalidInput) as raised:
        parse_gate(text)
    assert f'The gate "{text}" is wrong at {place}' in str(raised.value)
    assert expected in str(raised.value)


def test_an_endless_gate_is_refused():
    with pytest.raises(InvalidInput, match="too long"):
        parse_gate("a" * 10_000)


@given(text=st.text(st.sampled_from("ab1.\"': <>=!-+%eE_\n\té"), max_size=40) | st.text(max_size=30))
def test_any_text_is_a_gate_or_a_clear_error(text):
    try:
        gate = parse_gate(text)
    except InvalidInput as error:
        assert "expected" in str(error)
    else:
        assert gate.text == text


@given(
    variant=st.none() | NAMES,
    metric=st.lists(NAMES, min_size=1, max_size=3),
    difference=st.booleans(),
    data=st.data(),
    operator=st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    bound=st.floats(allow_nan=False, allow_infinity=False),
)
def test_what_is_written_is_what_is_read(variant, metric, difference, data, operator, bound):
    field = data.draw(st.sampled_from(DIFFERENCE_FIELDS if difference else ESTIMATE_FIELDS))
    name = ".".join(metric)
    prefix = f"{variant}:" if variant else ""
    gate = parse_gate(f"{prefix}{name}{'.difference' if difference else ''}.{field} {operator} {bound!r}")
    assert (gate.variant, gate.metric, gate.difference, gate.field) == (variant, name, difference, field)
    assert (gate.operator, gate.bound) == (operator, bound)


def test_names_are_checked_before_anything_is_spent():
    known = {"metrics": ["accuracy", "rouge"], "variants": ["plain", "few-shot"]}
    check_names(
        [parse_gate(text) for text in ("accuracy.lower > 0", "few-shot:latency.p50 < 1", "errors == 0")], **known
    )
    with pytest.raises(InvalidInput, match=r'there is no metric "acuracy". Did you mean "accuracy"\?'):
        check_names([parse_gate("acuracy.lower > 0")], **known)
    with pytest.raises(InvalidInput, match=r'there is no variant "x". There is: plain, few-shot.'):
        check_names([parse_gate("x:accuracy.lower > 0")], **known)
    with pytest.raises(InvalidInput, match="latency"):
        check_names([parse_gate("latency.mean < 1")], **known)


@pytest.mark.parametrize("count", COUNTS)
def test_counts_are_of_the_run(count):
    assert parse_gate(f"{count} < 5").of_run
