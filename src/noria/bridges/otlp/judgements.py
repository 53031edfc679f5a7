"""``gen_ai.evaluation.result`` events to scores."""

from __future__ import annotations

from typing import Any

import msgspec

from noria.bridges.otlp.conventions.draft import count, number, text
from noria.bridges.otlp.problems import Notes
from noria.bridges.otlp.raw import Attributes
from noria.bridges.otlp.values import kept
from noria.core.decoding import UNREADABLE
from noria.core.scores import Score, Source, Value

_SOURCES: dict[str, Source] = {
    "human": "human",
    "user": "human",
    "annotator": "human",
    "llm": "model",
    "model": "model",
    "ai": "model",
    "code": "code",
    "heuristic": "code",
    "rule": "code",
}
_SOURCE_KEYS = (
    "noria.score.source",
    "noria.source",
    "gen_ai.evaluation.source",
    "gen_ai.evaluation.evaluator.type",
    "gen_ai.evaluation.evaluator.kind",
    "gen_ai.evaluator.type",
    "evaluator.type",
    "evaluator.kind",
)
_VERSION_KEYS = (
    "noria.score.version",
    "gen_ai.evaluation.evaluator.version",
    "gen_ai.evaluation.version",
    "gen_ai.evaluator.version",
)
_COST_KEYS = ("noria.score.cost_usd", "noria.cost_usd")
EXACT = "noria.score"
"""A whole score in Noria's own JSON."""
_JUDGES = ("gen_ai.request.model", "gen_ai.response.model", "gen_ai.evaluation.evaluator.model")


def score_of(attributes: Attributes, trace_id: str, span_id: str, time_ns: int, notes: Notes) -> Score | None:
    """The score that an evaluation event tells; None where it tells none, which ``notes`` tells.

    Who judged is read from the evaluator's attributes; an evaluation that names a model was made by it, any other by code.

    Arguments:
        attributes: of the event.
        trace_id: of the judged span.
        span_id: the judged span.
        time_ns: of the event.
        notes: takes what was refused.
    """
    if (exact := _exact(attributes, trace_id)) is not None:
        return exact
    left = dict(attributes)
    name = text(left.pop("gen_ai.evaluation.name", None))
    value: Value | None = _value(left.pop("gen_ai.evaluation.score.value", None))
    label = text(left.get("gen_ai.evaluation.score.label"))
    if value is None and label is not None:
        value = label
        del left["gen_ai.evaluation.score.label"]
    if not name or value is None:
        notes.note("not_a_score", trace_id=trace_id, span_id=span_id)
        return None
    reason = left.pop("gen_ai.evaluation.explanation", None)
    written = _first(left, _SOURCE_KEYS)
    source = _SOURCES.get(str(written).lower()) or ("model" if any(key in left for key in _JUDGES) else "code")
    version = text(_first(left, _VERSION_KEYS))
    cost = number(_first(left, _COST_KEYS))
    return Score(
        scorer=name,
        version=version or "1",
        value=value,
        reason=reason if isinstance(reason, str) else "",
        source=source,
        cost_usd=None if cost is None else float(cost),
        metadata=kept(left, notes, trace_id, span_id),
        trace_id=trace_id,
        span_id=span_id,
        time_ns=count(time_ns) or notes.now_ns,
    )


def _exact(attributes: Attributes, trace_id: str) -> Score | None:
    """A score that Noria exported, where the event's other attributes can't say all of it."""
    if not isinstance(written := attributes.get(EXACT), str):
        return None
    try:
        found = msgspec.json.decode(written, type=Score)
    except UNREADABLE:
        return None
    return found if found.trace_id == trace_id and found.scorer else None


def _value(value: Any) -> Value | None:
    """A score's value: booleans stay booleans, texts that are numbers become numbers."""
    if isinstance(value, bool):
        return value
    found = number(value)
    return found if found is not None else text(value)


def _first(left: Attributes, keys: tuple[str, ...]) -> Any:
    """The value of the first of these keys, which is taken out."""
    for key in keys:
        if key in left:
            return left.pop(key)
    return None
