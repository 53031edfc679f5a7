"""Phoenix's exports: spans and annotations as its client gives them, from a data frame or from its REST API.

    client.spans.get_spans_dataframe()               attributes.llm.model_name, context.span_id, ... a column each
    client.spans.get_spans()                         {"context": {"trace_id", "span_id"}, "attributes": {...}}
    client.spans.get_span_annotations_dataframe()    span_id, annotation_name, result.score, ...
    client.spans.get_span_annotations()              {"span_id", "name", "result": {"score"}}

Attributes are OpenInference. Data frames are read from Parquet, or from JSON by rows or columns; the latter have
milliseconds only.
"""

from __future__ import annotations

from typing import Any

from noria.bridges.files.foreign import (
    Price,
    flattened,
    hex_id,
    listed,
    mapping,
    nanoseconds,
    parsed,
    raw_span,
    score_value,
    span_from,
    text,
    without_nothing,
)
from noria.bridges.files.records import Records
from noria.bridges.otlp.raw import RawEvent
from noria.core.errors import InvalidInput
from noria.core.scores import Score, Source

_KIND = "openinference.span.kind"
_PREFIX = "attributes."
_WHOLE = frozenset({"metadata", "tool.parameters", "llm.prompt_template.variables", "llm.invocation_parameters"})
"""Objects that are one attribute each."""
_SOURCES: dict[str, Source] = {"HUMAN": "human", "LLM": "model", "CODE": "code"}


class PhoenixExports:
    """See the module.

    Arguments:
        price: what a call costs, where Phoenix did not say so.
    """

    name = "phoenix"

    def __init__(self, price: Price) -> None:
        self._price = price

    def knows(self, values: Any) -> bool:
        """Whether it is a span with Phoenix's context, or an annotation."""
        if not isinstance(values, dict):
            return False
        return "context.span_id" in values or _is_api_span(values) or _is_annotation(values)

    def survey(self, values: Any) -> None:
        """Each row stands for itself."""

    def records(self, values: Any) -> Records:
        """A span, or a score on one; the trace of an annotated span is looked up where it is stored."""
        if not isinstance(values, dict):
            raise InvalidInput("it is no object.")
        if _is_annotation(values):
            return Records(scores=_scores(values))
        raw = _from_api(values) if _is_api_span(values) else _from_frame(values)
        start = nanoseconds("start_time", values.get("start_time"))
        failed = values.get("status_code") == "ERROR"
        raw.setdefault(_KIND, values.get("span_kind") or "UNKNOWN")
        context = mapping(values.get("context"))
        span = raw_span(
            trace_id=hex_id("trace_id", values.get("context.trace_id") or context.get("trace_id"), 32),
            span_id=hex_id("span_id", values.get("context.span_id") or context.get("span_id"), 16),
            parent_id=hex_id("parent_id", values["parent_id"], 16) if values.get("parent_id") else None,
            name=text(values.get("name")),
            start_ns=start,
            end_ns=max(start, nanoseconds("end_time", values.get("end_time"), start)),
            attributes=raw,
            events=[_event(event, start) for event in listed(values.get("events")) if isinstance(event, dict)],
            failed=failed,
            message=text(values.get("status_message")),
        )
        return Records((span_from(span, self._price),))


def _is_api_span(values: dict[str, Any]) -> bool:
    context = values.get("context")
    return isinstance(context, dict) and "span_id" in context and "span_kind" in values


def _is_annotation(values: dict[str, Any]) -> bool:
    return "annotator_kind" in values and "span_id" in values


def _from_api(values: dict[str, Any]) -> dict[str, Any]:
    return without_nothing(mapping(values.get("attributes")))


def _from_frame(values: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column, value in values.items():
        if not column.startswith(_PREFIX) or value is None:
            continue
        name = column.removeprefix(_PREFIX)
        held = parsed(value) if not isinstance(value, str) else value
        if name in _WHOLE:
            found[name] = without_nothing(held) if isinstance(held, dict) else held
        else:
            found.update(flattened(name, held))
    return found


def _event(event: dict[str, Any], start: int) -> RawEvent:
    moment = event.get("timestamp") or event.get("time")
    attributes = without_nothing(mapping(event.get("attributes")))
    return RawEvent(text(event.get("name")), nanoseconds("timestamp", moment, start), attributes)


def _scores(values: dict[str, Any]) -> tuple[Score, ...]:
    """The annotation; a score wins over a label, which is kept beside it. One without either judges nothing."""
    result = mapping(values.get("result"))
    name = values.get("annotation_name") or values.get("name")
    if not isinstance(name, str):
        raise InvalidInput("the annotation has no name.")
    number = score_value(_of(values, result, "score"))
    label = score_value(_of(values, result, "label"))
    value = label if number is None else number
    if value is None:
        return ()
    more = {
        "label": label if number is not None else None,
        "annotation_id": values.get("id"),
        "identifier": values.get("identifier"),
        "user_id": values.get("user_id"),
    }
    moment = values.get("updated_at") or values.get("created_at")
    return (
        Score(
            scorer=name,
            version="phoenix",
            value=value,
            reason=text(_of(values, result, "explanation")),
            source=_SOURCES.get(str(values.get("annotator_kind")), "code"),
            metadata=without_nothing(mapping(values.get("metadata")) | more),
            span_id=hex_id("span_id", values["span_id"], 16),
            time_ns=nanoseconds("updated_at", moment, 0),
        ),
    )


def _of(values: dict[str, Any], result: dict[str, Any], name: str) -> Any:
    """From the data frame's column, the API's result, or older exports' bare column."""
    for found in (values.get(f"result.{name}"), result.get(name), values.get(name)):
        if found is not None:
            return found
    return None
