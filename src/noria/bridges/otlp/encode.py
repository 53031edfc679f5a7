"""Spans and scores to OTLP, so that they can be sent to any collector.

What OpenTelemetry's conventions for generative AI have a name for goes under that name. What they would change on the
way stands beside it under ``noria.*``, and ``noria.span`` marks the whole: a Noria that takes the span in again has it
equal. Scores travel as ``gen_ai.evaluation.result`` events of their span.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status as OtlpStatus

from noria.bridges.otlp.conventions import OWN
from noria.bridges.otlp.conventions.draft import Draft
from noria.bridges.otlp.conventions.genai import documents
from noria.bridges.otlp.conventions.noria import FOR_OTHERS, MARK
from noria.bridges.otlp.judgements import EXACT, score_of
from noria.bridges.otlp.messages import said
from noria.bridges.otlp.problems import Notes
from noria.core.messages import ImagePart, Message, TextPart
from noria.core.scores import Score
from noria.core.spans import Document, Span
from noria.core.struct import spelt_out

VERSION = "1"
"""Value of the mark: how these spans are encoded."""

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_CLIENT = frozenset({"chat", "text_completion", "embeddings", "generate_content"})
"""Operations that are calls to somebody else."""
_NAMES = {
    "operation": "gen_ai.operation.name",
    "provider": "gen_ai.provider.name",
    "request_model": "gen_ai.request.model",
    "response_model": "gen_ai.response.model",
    "error_type": "error.type",
    "tool_name": "gen_ai.tool.name",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "ttft_s": "gen_ai.response.time_to_first_chunk",
    "tpot_s": "noria.tpot_s",
    "cost_usd": "noria.cost_usd",
    "request_id": "noria.request_id",
}
_PARAMS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "max_tokens": "gen_ai.request.max_tokens",
    "seed": "gen_ai.request.seed",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
}
_EVALUATION = "gen_ai.evaluation.result"


def encode(rows: Iterable[tuple[Span, Sequence[Score]]]) -> bytes:
    """An ``ExportTraceServiceRequest`` in protobuf with these spans and the scores on each."""
    encoded: bytes = request(rows).SerializeToString()
    return encoded


def request(rows: Iterable[tuple[Span, Sequence[Score]]]) -> ExportTraceServiceRequest:
    """The same as a message: one resource an app, as its service."""
    made = ExportTraceServiceRequest()
    resources: dict[str | None, ResourceSpans] = {}
    for span, scores in rows:
        app = span.lineage.app
        if app not in resources:
            resource = resources[app] = made.resource_spans.add()
            if app:
                resource.resource.attributes.append(_pair("service.name", app))
            resource.scope_spans.add()
        resources[app].scope_spans[0].spans.append(_span(span, scores))
    return made


def _span(span: Span, scores: Sequence[Score]) -> OtlpSpan:
    failed = span.status == "error"
    made = OtlpSpan(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.parent_id or ""),
        name=span.name,
        kind=OtlpSpan.SPAN_KIND_CLIENT if span.operation in _CLIENT else OtlpSpan.SPAN_KIND_INTERNAL,
        start_time_unix_nano=span.start_ns,
        end_time_unix_nano=span.end_ns,
        attributes=[_pair(name, value) for name, value in attributes(span).items()],
        status=OtlpStatus(
            code=OtlpStatus.STATUS_CODE_ERROR if failed else OtlpStatus.STATUS_CODE_OK,
            message=(span.error_message or "") if failed else "",
        ),
    )
    for event in span.events:
        made.events.add(name=event.name, time_unix_nano=event.time_ns, attributes=_pairs(event.attributes))
    for score in scores:
        made.events.add(name=_EVALUATION, time_unix_nano=score.time_ns, attributes=_pairs(_judgement(score)))
    return made


def attributes(span: Span) -> dict[str, Any]:
    """The span's attributes on the wire."""
    found: dict[str, Any] = {MARK: VERSION}
    found.update((name, getattr(span, field)) for field, name in _NAMES.items())
    found.update((f"noria.{name}", getattr(span.lineage, name)) for name in span.lineage.__struct_fields__)
    found["gen_ai.conversation.id"], found["user.id"] = span.lineage.session_id, span.lineage.user_id
    found["noria.cached"] = span.cached or None
    if span.status == "cancelled":
        found["noria.status"] = span.status
    if span.error_message is not None and (span.status != "error" or not span.error_message):
        found["noria.error_message"] = span.error_message
    if span.finish_reasons:
        found["gen_ai.response.finish_reasons"] = list(span.finish_reasons)
    if span.variables:
        found["noria.variables"] = _json(span.variables)
    found.update((_PARAMS[name], value) for name, value in span.params.items() if _is_plain(name, value))
    if odd := {name: value for name, value in span.params.items() if not _is_plain(name, value)}:
        found["noria.params"] = _json(odd)
    _add_messages(found, "input", span.input)
    _add_messages(found, "output", span.output)
    _add_documents(found, span.documents)
    found = {name: value for name, value in found.items() if value is not None}
    own = {name: value for name, value in span.attributes.items() if _travels(name, value)}
    if rest := {name: value for name, value in span.attributes.items() if name not in own}:
        found["noria.attributes"] = _json(rest)
    return found | own


def _is_plain(name: str, value: Any) -> bool:
    """Whether a parameter comes back as it is from its name in the conventions."""
    if name not in _PARAMS or isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if name == "max_tokens" and not (isinstance(value, int) and value >= 0):
        return False
    return _fits(value)


def _fits(value: Any) -> bool:
    """Whether OTLP has a form for it that comes back equal."""
    if isinstance(value, bool | str):
        return True
    if isinstance(value, int):
        return _SMALLEST <= value <= _LARGEST
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(_fits(item) for item in value)
    return False


def _travels(name: str, value: Any) -> bool:
    """Whether an attribute may stand under its own name: nobody takes it for a column, or for who sent it."""
    if name.startswith(("noria.", "resource.", "otel.")) or name in FOR_OTHERS or not _fits(value):
        return False
    draft = Draft.__new__(Draft)
    draft.columns, draft.params, draft.rest, draft.origins = {}, {}, {}, {}
    OWN.read(draft, {name: value})
    return draft.rest == {name: value}


def _add_messages(found: dict[str, Any], side: str, messages: tuple[Message, ...]) -> None:
    """As the conventions have them; and exactly, where these would change them."""
    if not messages:
        return
    text = _json([_message(message) for message in messages])
    found[f"gen_ai.{side}.messages"] = text
    read = said(text, role="user" if side == "input" else "assistant")
    if read is None or read.messages != messages:
        found[f"noria.{side}"] = _json(messages)


def _message(message: Message) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    if message.reasoning:
        parts.append({"type": "reasoning", "content": message.reasoning})
    if message.role == "tool":
        answer = {"type": "tool_call_response", "id": message.tool_call_id, "response": message.text}
        return {"role": "tool", "parts": [answer]} | ({"name": message.name} if message.name else {})
    content = (TextPart(text=message.content),) if isinstance(message.content, str) else message.content
    for part in content:
        if isinstance(part, TextPart):
            parts.extend([{"type": "text", "content": part.text}] if part.text else [])
        elif isinstance(part, ImagePart):
            parts.append({"type": "uri", "modality": "image", "uri": part.url})
        else:
            parts.append(spelt_out(part))
    parts.extend(
        {"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments}
        for call in message.tool_calls
    )
    more = {"name": message.name, "refusal": message.refusal or None}
    return {"role": message.role, "parts": parts} | {name: value for name, value in more.items() if value is not None}


def _add_documents(found: dict[str, Any], held: tuple[Document, ...]) -> None:
    if not held:
        return
    written = [
        {"id": one.id, "score": one.score, "content": one.text, "metadata": one.metadata or None} for one in held
    ]
    text = _json([{name: value for name, value in one.items() if value is not None} for one in written])
    found["gen_ai.retrieval.documents"] = text
    if documents(msgspec.json.decode(text)) != held:
        found["noria.documents"] = _json(held)


def _judgement(score: Score) -> dict[str, Any]:
    """A score as the attributes of an evaluation event."""
    is_number = isinstance(score.value, int | float) and not isinstance(score.value, bool)
    found: dict[str, Any] = {
        "gen_ai.evaluation.name": score.scorer,
        "gen_ai.evaluation.score.value": score.value if is_number or isinstance(score.value, bool) else None,
        "gen_ai.evaluation.score.label": score.value if isinstance(score.value, str) else None,
        "gen_ai.evaluation.explanation": score.reason or None,
        "noria.score.source": score.source,
        "noria.score.version": score.version,
        "noria.score.cost_usd": score.cost_usd,
    }
    found = {name: value for name, value in found.items() if value is not None} | score.metadata
    read = score_of(found, score.trace_id, score.span_id, score.time_ns, Notes(0))
    return found if read == score else found | {EXACT: _json(score)}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _pairs(values: Mapping[str, Any]) -> list[KeyValue]:
    return [_pair(name, value) for name, value in values.items()]


def _pair(name: str, value: Any) -> KeyValue:
    return KeyValue(key=name, value=_value(value))


def _value(value: Any) -> AnyValue:
    if value is None or isinstance(value, bool):
        return AnyValue() if value is None else AnyValue(bool_value=value)
    match value:
        case int() if _SMALLEST <= value <= _LARGEST:
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=_pairs(value)))
        case list() | tuple():
            return AnyValue(array_value=ArrayValue(values=[_value(item) for item in value]))
        case _:
            return AnyValue(string_value=str(value))
