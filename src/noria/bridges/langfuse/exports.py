"""Langfuse's exports: traces, observations and scores, one a row, as its API, its blob storage export and its page give them.

https://langfuse.com/docs/api-and-data-platform/features/blob-storage-export-fields names the columns; the API has the
same in camel case. Observations go through the convention of Langfuse's own OpenTelemetry attributes. Older rows of
observations know neither user nor session: their trace's row does, so the files go into one import.

A trace is a span of its own only where its observations do not have one root among them: else it would be there twice.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from noria.bridges.files.foreign import (
    Price,
    hex_id,
    mapping,
    nanoseconds,
    parsed,
    raw_span,
    span_from,
    text,
    without_nothing,
)
from noria.bridges.files.records import Records
from noria.bridges.langfuse.rows import (
    costs_of,
    is_observation,
    is_score,
    is_trace,
    rows_in,
    shared_by,
    snake,
    told_by,
    usage_of,
    value_of,
    words_of,
)
from noria.core.errors import InvalidInput
from noria.core.scores import Score, Source
from noria.core.spans import Span

_SOURCES: dict[str, Source] = {"ANNOTATION": "human", "EVAL": "model", "API": "code"}
_BEFORE = "langfuse.observation."


class _Trace(NamedTuple):
    """What a trace's row tells about its observations."""

    user_id: str
    session_id: str
    told: dict[str, Any]
    """What is left for its root, where it is no span itself."""


class _Shape:
    """What the observations tell about their trace."""

    def __init__(self) -> None:
        self.roots: list[str] = []
        self.end_ns = 0


class LangfuseExports:
    """See the module.

    Arguments:
        price: what a call costs, where Langfuse did not say so.
    """

    name = "langfuse"

    def __init__(self, price: Price) -> None:
        self._price = price
        self._traces: dict[str, _Trace] = {}
        self._shapes: dict[str, _Shape] = {}

    def knows(self, values: Any) -> bool:
        """Whether it is a trace, an observation or a score."""
        if not isinstance(values, dict):
            return False
        row = snake(values)
        return is_observation(row) or is_score(row) or is_trace(row)

    def survey(self, values: Any) -> None:
        """Remember users and sessions of traces, and which observations are roots."""
        if not isinstance(values, dict):
            return
        row = snake(values)
        try:
            if is_observation(row):
                self._survey_observation(row)
            elif is_trace(row):
                trace = hex_id("id", row["id"], 32)
                self._traces[trace] = _Trace(text(row.get("user_id")), text(row.get("session_id")), told_by(row))
                for inner in rows_in(row, "observations"):
                    if is_observation(inner):
                        self._survey_observation(inner)
        except InvalidInput:
            return  # told where the row is read

    def _survey_observation(self, row: dict[str, Any]) -> None:
        trace = hex_id("trace_id", row.get("trace_id"), 32)
        shape = self._shapes.setdefault(trace, _Shape())
        start = nanoseconds("start_time", row.get("start_time"))
        shape.end_ns = max(shape.end_ns, nanoseconds("end_time", row.get("end_time"), start))
        own = hex_id("id", row.get("id"), 16)
        if not row.get("parent_observation_id") and own not in shape.roots:
            shape.roots.append(own)

    def records(self, values: Any) -> Records:
        """The spans and scores of a row, and of the rows within it."""
        if not isinstance(values, dict):
            raise InvalidInput("it is no object.")
        row = snake(values)
        if is_observation(row):
            return Records((self._observation(row),))
        if is_score(row):
            return Records(scores=self._score(row))
        if not is_trace(row):
            raise InvalidInput("it is neither a trace, nor an observation, nor a score.")
        trace = hex_id("id", row["id"], 32)
        spans = [self._observation(inner) for inner in rows_in(row, "observations") if is_observation(inner)]
        scores = [score for inner in rows_in(row, "scores") if is_score(inner) for score in self._score(inner)]
        if self._own_root(trace):
            spans.insert(0, self._root(trace, row))
        return Records(tuple(spans), tuple(scores))

    def _own_root(self, trace: str) -> bool:
        """Whether the trace's row becomes a span."""
        shape = self._shapes.get(trace)
        return trace in self._traces and (shape is None or len(shape.roots) != 1)

    def _root_id(self, trace: str) -> str:
        """The span that stands for the whole trace; empty where nobody knows."""
        if self._own_root(trace):
            return hex_id("id", f"trace {trace}", 16)
        shape = self._shapes.get(trace)
        return shape.roots[0] if shape and len(shape.roots) == 1 else ""

    def _root(self, trace: str, row: dict[str, Any]) -> Span:
        start = nanoseconds("timestamp", row.get("timestamp"))
        shape = self._shapes.get(trace)
        latency = parsed(row.get("latency"))
        ends = start + (round(latency * 1e9) if isinstance(latency, int | float) and 0 <= latency < 1e9 else 0)
        attributes = {
            _BEFORE + "type": "span",
            **shared_by(row),
        }
        end = max(ends, shape.end_ns if shape else 0)
        return self._span(row, attributes, trace=trace, span=self._root_id(trace), parent=None, start=start, end=end)

    def _observation(self, row: dict[str, Any]) -> Span:
        trace = hex_id("trace_id", row.get("trace_id"), 32)
        known = self._traces.get(trace)
        start = nanoseconds("start_time", row.get("start_time"))
        parent = row.get("parent_observation_id")
        if parent:
            parent_id: str | None = hex_id("parent_observation_id", parent, 16)
        else:
            parent_id = self._root_id(trace) if self._own_root(trace) else None
        attributes = {
            _BEFORE + "type": str(row["type"]).lower(),
            _BEFORE + "model.name": row.get("provided_model_name") or row.get("model"),
            _BEFORE + "model.parameters": mapping(row.get("model_parameters")),
            _BEFORE + "usage_details": usage_of(row),
            _BEFORE + "cost_details": costs_of(row),
            _BEFORE + "prompt.name": row.get("prompt_name"),
            _BEFORE + "prompt.version": row.get("prompt_version"),
            _BEFORE + "completion_start_time": row.get("completion_start_time"),
            _BEFORE + "level": None if row.get("level") == "DEFAULT" else row.get("level"),
            _BEFORE + "status_message": row.get("status_message"),
            "user.id": known.user_id if known else None,
            "session.id": known.session_id if known else None,
            **(known.told if known and not parent and parent_id is None else {}),
        }
        shared = {name: value for name, value in shared_by(row).items() if value is not None}
        end = max(start, nanoseconds("end_time", row.get("end_time"), start))
        own = hex_id("id", row.get("id"), 16)
        return self._span(row, attributes | shared, trace=trace, span=own, parent=parent_id, start=start, end=end)

    def _span(
        self,
        row: dict[str, Any],
        attributes: dict[str, Any],
        *,
        trace: str,
        span: str,
        parent: str | None,
        start: int,
        end: int,
    ) -> Span:
        for name in ("id", "trace_id"):  # digests can't be turned back
            if (written := row.get(name)) and written not in {trace, span}:
                attributes[f"langfuse.{name}"] = written
        for side in ("input", "output"):
            attributes[_BEFORE + side] = words_of(row.get(side))
        metadata = mapping(row.get("metadata"))
        attributes |= {f"{_BEFORE}metadata.{name}": parsed(value) for name, value in metadata.items()}
        failed = row.get("level") == "ERROR"
        raw = raw_span(
            trace_id=trace,
            span_id=span,
            parent_id=parent,
            name=text(row.get("name")),
            start_ns=start,
            end_ns=end,
            attributes=without_nothing(attributes),
            failed=failed,
            message=text(row.get("status_message")),
        )
        return span_from(raw, self._price)

    def _score(self, row: dict[str, Any]) -> tuple[Score, ...]:
        """A score on a trace or an observation; none where it has no value."""
        subject = snake(mapping(row.get("subject")))
        kind = subject.get("kind")
        trace = row.get("trace_id") or (subject.get("id") if kind == "trace" else subject.get("trace_id"))
        about = row.get("observation_id") or (subject.get("id") if kind == "observation" else None)
        if not (trace or about):
            raise InvalidInput("the score is on neither a trace nor an observation.")
        value = value_of(row)
        if value is None:
            return ()
        trace_id = hex_id("trace_id", trace, 32) if trace else ""
        more = {
            "score_id": row.get("id"),
            "author_user_id": row.get("author_user_id"),
            "config_id": row.get("config_id"),
        }
        return (
            Score(
                scorer=text(row.get("name")),
                version="langfuse",
                value=value,
                reason=text(row.get("comment")),
                source=_SOURCES.get(str(row.get("source")), "code"),
                metadata=without_nothing(mapping(row.get("metadata")) | more),
                trace_id=trace_id,
                span_id=hex_id("observation_id", about, 16) if about else self._root_id(trace_id),
                time_ns=nanoseconds("timestamp", row.get("timestamp"), 0),
            ),
        )
