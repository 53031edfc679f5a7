"""The record: one span per call, in OpenTelemetry GenAI terms.

Field names are Noria's columns; :func:`otel_attributes` gives the OpenTelemetry names
(semantic conventions for generative AI, status "Development").
"""

from __future__ import annotations

from typing import Any, Literal

from noria.core.attributes import ESTIMATED_INPUT, ESTIMATED_OUTPUT
from noria.core.messages import Message
from noria.core.requests import Lineage
from noria.core.struct import Noun

Status = Literal["ok", "error", "cancelled"]


class Document(Noun):
    """What a retrieval step found."""

    id: str | None = None
    """As the knowledge base names it."""
    text: str = ""
    """The passage."""
    score: float | None = None
    """Relevance as the retriever counts it; the unit is the retriever's own."""
    metadata: dict[str, Any] = {}
    """Title, place, anything else."""


class SpanEvent(Noun):
    """Something that happened at one moment of a span."""

    name: str
    """What: ``exception``, or any name."""
    time_ns: int = 0
    """When, nanoseconds since 1970 UTC."""
    attributes: dict[str, Any] = {}
    """Details; keys are hostile text."""


class Span(Noun):
    """One recorded step. Spans with one ``trace_id`` are a trace."""

    trace_id: str
    """32 hex digits, as in W3C Trace Context."""
    span_id: str
    """16 hex digits, unique within the trace."""
    parent_id: str | None = None
    """Span id of the enclosing step; None at the root."""
    name: str
    """What happened, short: ``chat local/smollm2-135m``."""
    operation: str = "chat"
    """``gen_ai.operation.name``: ``chat``, ``embeddings``, ``execute_tool``, ``invoke_agent`` ..."""
    start_ns: int
    """Start, nanoseconds since 1970 UTC."""
    end_ns: int
    """End, nanoseconds since 1970 UTC."""
    status: Status = "ok"
    """``ok``, ``error``, or ``cancelled`` when the caller went away first."""
    error_type: str | None = None
    """``error.type``: the code of the error, such as ``call_timeout``."""
    error_message: str | None = None
    """The error's sentence."""
    provider: str | None = None
    """``gen_ai.provider.name``: ``local``, ``openai``, or the configured provider's name."""
    request_model: str | None = None
    """Model as asked for, without the provider."""
    response_model: str | None = None
    """Model as it named itself."""
    params: dict[str, Any] = {}
    """Decoding parameters as sent."""
    input: tuple[Message, ...] = ()
    """Messages as sent to the model, after prompt rendering."""
    output: tuple[Message, ...] = ()
    """Choices as received, as far as they came."""
    finish_reasons: tuple[str, ...] = ()
    """One per choice that was complete."""
    variables: dict[str, Any] = {}
    """Values that the prompt template was rendered with."""
    tool_name: str | None = None
    """``gen_ai.tool.name``: the tool that an ``execute_tool`` step ran. Its call is in ``input``, its result in ``output``."""
    documents: tuple[Document, ...] = ()
    """What a retrieval step found, best first."""
    events: tuple[SpanEvent, ...] = ()
    """What happened meanwhile and has no field of its own, by time."""
    input_tokens: int | None = None
    """Prompt tokens; None where nobody counted."""
    output_tokens: int | None = None
    """Generated tokens; None where nobody counted."""
    cached_tokens: int | None = None
    """Prompt tokens served from the provider's cache."""
    reasoning_tokens: int | None = None
    """Generated tokens that were thinking."""
    ttft_s: float | None = None
    """Time to first token, seconds: from sending the request to the first content. None when not streamed."""
    tpot_s: float | None = None
    """Time per output token after the first, seconds: (last - first content) / (output tokens - 1)."""
    cost_usd: float | None = None
    """Price of the call in US dollars; None when the price is unknown, 0 only when it is known to be free."""
    request_id: str | None = None
    """Content id of the request as sent (model set-up, messages, parameters, repeat): the response cache's key."""
    cached: bool = False
    """True when the reply was read from an earlier span with the same ``request_id``; its timings are that span's."""
    lineage: Lineage = Lineage()
    """App, variant, prompt, model set-up, experiment, case, session and user."""
    attributes: dict[str, Any] = {}
    """Anything that has no field of its own; keys are hostile text."""

    @property
    def duration_s(self) -> float:
        """Wall time in seconds; of the earlier call where the reply came from the cache."""
        replayed = self.attributes.get("noria.replayed.duration_s") if self.cached else None
        return float(replayed) if replayed is not None else (self.end_ns - self.start_ns) / 1e9

    @property
    def estimated_tokens(self) -> tuple[int, int] | None:
        """Prompt and generated tokens by Noria's estimate, where the provider never got to count; else None."""
        sent, made = (self.attributes.get(name) for name in (ESTIMATED_INPUT, ESTIMATED_OUTPUT))
        counted = self.input_tokens is not None or self.output_tokens is not None
        return None if counted or type(sent) is not int or type(made) is not int else (sent, made)

    @property
    def output_text(self) -> str:
        """Text of the first choice."""
        return self.output[0].text if self.output else ""


_OTEL_NAMES = {
    "operation": "gen_ai.operation.name",
    "provider": "gen_ai.provider.name",
    "request_model": "gen_ai.request.model",
    "response_model": "gen_ai.response.model",
    "finish_reasons": "gen_ai.response.finish_reasons",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "error_type": "error.type",
    "ttft_s": "gen_ai.response.time_to_first_chunk",
}
_OTEL_PARAMS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "max_tokens": "gen_ai.request.max_tokens",
    "stop": "gen_ai.request.stop_sequences",
    "seed": "gen_ai.request.seed",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
}
_NORIA_NAMES = ("tpot_s", "cost_usd", "request_id")


def otel_attributes(span: Span) -> dict[str, Any]:
    """The span's attributes under their OpenTelemetry names; Noria's own under ``noria.``; absent values left out."""
    found: dict[str, Any] = dict(span.attributes)
    found.update((name, getattr(span, field)) for field, name in _OTEL_NAMES.items())
    found.update((name, span.params.get(field)) for field, name in _OTEL_PARAMS.items())
    found.update((f"noria.{field}", getattr(span, field)) for field in _NORIA_NAMES)
    found.update((f"noria.{field}", getattr(span.lineage, field)) for field in span.lineage.__struct_fields__)
    found["noria.cached"] = span.cached or None
    found["gen_ai.conversation.id"] = span.lineage.session_id
    return {name: value for name, value in found.items() if value not in (None, (), [])}
