"""Questions for the trace tests, drawn by Hypothesis, and a set of records that they find something in."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import strategies as st
from trace_records import NOON, SECOND, score, span

from noria.core.messages import Message, ToolCall
from noria.core.questions import Aggregate, Filter, Order, Question, ScoreFilter
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Document, Span

WORDS = ["river", "Wheel", "water", "café", "GPT-4o", "你好世界", "naïve", "user_id", "the", "42", "Straße"]
APPS = ["a", "b", None]
MODELS = ["small", "large", None]
ATTRIBUTES = [None, 1, 2.5, "x", "1", True, [1]]
SCORERS = ["exact", "tone"]
VALUES: list[Any] = [True, False, 0.25, 3, "good", "bad"]


def some_records(count: int = 60) -> tuple[list[Span], list[Score]]:
    """Always the same ones, spread over three hours; many of one moment."""
    chance = random.Random(3)
    spans, scores = [], []
    for number in range(count):
        start = NOON + chance.randrange(3 * 60) * 60 * SECOND
        said = " ".join(chance.choices(WORDS, k=4))
        call = ToolCall(id="1", name=chance.choice(WORDS), arguments='{"q": "\n' + chance.choice(WORDS) + '"}')
        made = span(
            number,
            trace_id=f"{chance.randrange(20):032x}",
            name=f"chat {number % 7}",
            start_ns=start,
            end_ns=start + chance.randrange(5 * SECOND),
            status=chance.choice(["ok", "ok", "error", "cancelled"]),
            error_message=chance.choice([None, said]),
            request_model=chance.choice(MODELS),
            response_model=chance.choice(MODELS),
            input=(Message(role="user", content=said),),
            output=(Message(role="assistant", content=chance.choice(WORDS), tool_calls=(call,)),),
            documents=(Document(text=chance.choice(WORDS)),) if number % 5 == 0 else (),
            input_tokens=chance.choice([None, 0, 10, 200]),
            ttft_s=chance.choice([None, 0.1, 0.2, 1.5]),
            cost_usd=chance.choice([None, 0.0, 0.001]),
            cached=chance.choice([True, False]),
            lineage=Lineage(app=chance.choice(APPS), user_id=chance.choice(APPS)),
            attributes={"k": chance.choice(ATTRIBUTES)},
        )
        spans.append(made)
        for _ in range(chance.randrange(3)):
            value = chance.choice(VALUES)
            source = chance.choice(["code", "human"])
            scorer = chance.choice(SCORERS)
            place = {"trace_id": made.trace_id, "span_id": made.span_id, "time_ns": start + 60 * SECOND}
            scores.append(score(number, value, scorer=scorer, source=source, **place))
    return spans, scores


def texts(*more: str) -> st.SearchStrategy[str]:
    """Search texts: known words, parts of them, phrases."""
    known = st.sampled_from(
        [*WORDS, "caf", "wheel water", "user", "世", "好世", "role", "content", "n", "absent", *more]
    )
    return st.lists(known | known.map(lambda word: f'"{word}"'), min_size=1, max_size=2).map(" ".join)


def _filters() -> st.SearchStrategy[Filter]:
    def on(columns: list[str], values: st.SearchStrategy[Any], more: list[str]) -> st.SearchStrategy[Filter]:
        one = st.builds(Filter, column=st.sampled_from(columns), op=st.sampled_from(["=", "!=", *more]), value=values)
        many = st.lists(st.none() | values, max_size=3)
        among = st.builds(Filter, column=st.sampled_from(columns), op=st.sampled_from(["in", "not in"]), value=many)
        null = st.builds(Filter, column=st.sampled_from(columns), op=st.sampled_from(["is null", "is not null"]))
        return one | among | null

    numbers = st.sampled_from([0, 0.001, 0.1, 1, 2.5, 10, 200])
    compare = ["<", "<=", ">", ">="]
    some = st.sampled_from(["a", "b", "ok", "error", "small", "x", "1", "", "chat 3"])
    return (
        on(["app", "status", "model", "request_model", "name", "user_id"], some, [*compare, "contains"])
        | on(["input_tokens", "ttft_s", "cost_usd", "duration_s"], numbers, compare)
        | on(["cached", "failed"], st.booleans(), [])
        | on(["attributes.k"], numbers | some | st.booleans(), compare)
    )


def _score_filters() -> st.SearchStrategy[ScoreFilter]:
    scorers = st.sampled_from([*SCORERS, "unknown"])
    sources = st.sampled_from([None, None, "code", "human"])
    values = st.sampled_from(VALUES)
    compare = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
    return (
        st.builds(ScoreFilter, scorer=scorers, op=compare, value=values, source=sources)
        | st.builds(ScoreFilter, scorer=scorers, op=st.sampled_from(["is null", "is not null"]), source=sources)
        | st.builds(
            ScoreFilter, scorer=scorers, op=st.sampled_from(["in", "not in"]), value=st.lists(values, max_size=2)
        )
    )


_bounds = st.none() | st.integers(0, 190).map(lambda minute: NOON + minute * 60 * SECOND)
_choice: dict[str, st.SearchStrategy[Any]] = {
    "where": st.lists(_filters(), max_size=2).map(tuple),
    "scored": st.lists(_score_filters(), max_size=2).map(tuple),
    "text": st.none() | texts(),
    "since_ns": _bounds,
    "until_ns": _bounds,
}
_sortable = st.sampled_from(["start_ns", "app", "ttft_s", "attributes.k", "cached", "failed", "model", "duration_s"])
_rows = st.builds(
    Question,
    **_choice,
    columns=st.just(("span_id", "model", "failed", "duration_s", "attributes.k")),
    order=st.lists(st.builds(Order, column=_sortable, descending=st.booleans()), max_size=2).map(tuple),
    limit=st.sampled_from([None, 0, 1, 7, 100]),
    offset=st.sampled_from([0, 0, 3]),
)
_numeric = st.sampled_from(["input_tokens", "ttft_s", "cost_usd", "duration_s", "attributes.k", "failed"])
_measures = (
    st.builds(
        Aggregate, measure=st.sampled_from(["sum", "mean", "min", "max", "p25", "p50", "p75", "p99"]), column=_numeric
    )
    | st.builds(
        Aggregate,
        measure=st.sampled_from(["count", "distinct"]),
        column=_numeric | st.sampled_from(["app", "trace_id"]),
    )
    | st.just(Aggregate(measure="count"))
)
_groups = st.lists(st.sampled_from(["time", "app", "model", "failed", "attributes.k", "hour"]), max_size=2, unique=True)


@st.composite
def _grouped(draw: st.DrawFn) -> Question:
    groups = draw(_groups)
    measures = draw(st.lists(_measures, min_size=1, max_size=3, unique=True))
    labels = [*groups, *(one.label for one in measures)]
    return Question(
        **{name: draw(drawn) for name, drawn in _choice.items()},
        group_by=tuple(groups),
        measures=tuple(measures),
        bucket_s=draw(st.sampled_from([600, 3600, 86_400])) if "time" in groups else None,
        order=tuple(
            draw(st.lists(st.builds(Order, column=st.sampled_from(labels), descending=st.booleans()), max_size=1))
        ),
        limit=draw(st.sampled_from([None, 5])),
    )


questions = _rows | _grouped()
"""Right questions over the spans of :func:`some_records`."""

_junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["app", "time", "="]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


def _like(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional=fields)


_names = st.sampled_from(
    ["app", "start_ns", "time", "failed", "attributes.k", "input", "value", "count", ""]
) | st.text(max_size=3)
_conditions = _like(
    column=_names,
    scorer=_names,
    op=st.sampled_from(["=", "<", "in", "not in", "contains", "is null"]),
    value=_junk,
    source=st.sampled_from(["code", "me"]),
)
bad_json = _junk | _like(
    source=st.sampled_from(["spans", "scores", "users"]),
    where=st.lists(_conditions, max_size=2),
    scored=st.lists(_conditions, max_size=2),
    text=st.text(max_size=6) | _junk,
    since_ns=st.integers() | _junk,
    columns=st.lists(_names, max_size=2),
    group_by=st.lists(_names, max_size=2),
    bucket_s=st.integers() | _junk,
    measures=st.lists(
        _like(measure=st.sampled_from(["count", "p50", "mean", "sum"]), column=_names, name=_names), max_size=2
    ),
    order=st.lists(_like(column=_names, descending=st.booleans()), max_size=2),
    limit=st.integers(-1, 5) | st.integers() | st.none(),
    offset=st.integers(-1, 5) | st.integers(),
    after=st.text(st.sampled_from("aZ09-_="), max_size=20) | _junk,
    tolerance=st.floats() | st.integers(),
)
"""What a stranger may send as a question."""
