"""Requests: one call of a model or an app, how to decode it, and where it comes from."""

from __future__ import annotations

from typing import Any

import msgspec

from noria.core.identity import content_id
from noria.core.messages import Message
from noria.core.struct import Noun


class Tool(Noun):
    """A function that the model may call."""

    name: str
    """The function's name."""
    description: str = ""
    """What it does, for the model to read."""
    parameters: dict[str, Any] = {}
    """JSON Schema of its arguments."""
    strict: bool | None = None
    """Ask the provider to hold the arguments to the schema."""


class Parameters(Noun, forbid_unknown_fields=True):
    """How to decode. ``None`` everywhere means: the model's own default. A misspelt name is refused, not lost."""

    temperature: float | None = None
    """Softmax temperature, 0 for greedy decoding."""
    top_p: float | None = None
    """Nucleus sampling mass, 0 to 1."""
    max_tokens: int | None = None
    """Most tokens to generate."""
    stop: tuple[str, ...] = ()
    """Texts that end the reply."""
    seed: int | None = None
    """Seed of the sampler, honoured by some providers."""
    presence_penalty: float | None = None
    """-2 to 2; positive values favour new tokens."""
    frequency_penalty: float | None = None
    """-2 to 2; positive values punish repetition."""
    response_schema: dict[str, Any] | None = None
    """JSON Schema that the reply must satisfy."""
    extra: dict[str, Any] = {}
    """Provider-specific fields, passed on as they are."""


class Lineage(Noun):
    """Where a call comes from: stamped on the request by whoever knows, copied to the span by the recorder."""

    app: str | None = None
    """The app that was called; for records from elsewhere the service that made them."""
    variant_id: str | None = None
    """The variant that answered."""
    prompt_id: str | None = None
    """The prompt version that was rendered: Noria's content id, or ``name@version`` of the system that keeps it."""
    model_id: str | None = None
    """Content id of the local model's set-up (weights and engine flags)."""
    release_id: str | None = None
    """The release that chose the variant."""
    experiment_id: str | None = None
    """The experiment that this call belongs to."""
    run_id: str | None = None
    """The run, one variant's part of the experiment."""
    case_id: str | None = None
    """The data-set case."""
    repeat: int | None = None
    """Which repetition of the case, from 0."""
    session_id: str | None = None
    """The conversation, as the caller names it."""
    user_id: str | None = None
    """The end user, as the caller names them."""


class TraceContext(Noun):
    """The place of a call in a trace (W3C Trace Context ids)."""

    trace_id: str
    """32 hex digits."""
    parent_id: str | None = None
    """16 hex digits of the enclosing span; None at the root."""


class Request(Noun):
    """One call of a model or an app."""

    model: str
    """What is called: an app's name, or ``provider/model``."""
    messages: tuple[Message, ...] = ()
    """The conversation so far."""
    params: Parameters = Parameters()
    """How to decode."""
    tools: tuple[Tool, ...] = ()
    """Functions on offer."""
    tool_choice: str | dict[str, Any] | None = None
    """``auto``, ``none``, ``required``, or the wire's object naming one function."""
    n: int = 1
    """Choices to generate."""
    variables: dict[str, Any] = {}
    """Values for the app's prompt template; not part of any provider's wire."""
    lineage: Lineage = Lineage()
    """Where the call comes from."""
    trace: TraceContext | None = None
    """Place in a trace; the recorder starts a new one where there is none."""
    attributes: dict[str, Any] = {}
    """Anything else to keep on the span."""


def replace_lineage(request: Request, **changes: Any) -> Request:
    """``request`` with some lineage fields set."""
    return msgspec.structs.replace(request, lineage=msgspec.structs.replace(request.lineage, **changes))


def request_id(request: Request, *, server: str = "") -> str:
    """Content id of everything that decides the answer: model set-up, messages, parameters, tools and repetition.

    Two calls with one id are the same question to the same model; a cached reply to one answers the other.

    Arguments:
        server: base URL that a remote model answers at: another address behind a provider's name is another model.
            A local model's set-up says all by itself.
    """
    remote = {"model": request.model, "server": server} if server else request.model
    parts = {
        "model": request.lineage.model_id or remote,
        "messages": request.messages,
        "params": request.params,
        "tools": request.tools,
        "tool_choice": request.tool_choice,
        "n": request.n,
        "repeat": request.lineage.repeat or 0,
    }
    return content_id("request", parts)
