"""Requests: one call of a model or an app, how to decode it, and where it comes from."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from noria.core.identity import content_id, id_of, in_order, is_alike
from noria.core.keys import Caller
from noria.core.messages import BlobPart, CacheLife, Message, OtherPart, TextPart
from noria.core.struct import Noun

CacheWish = Literal["", "skip", "refresh", "only"]
"""Empty: an earlier reply will do. ``skip``: neither read nor keep one. ``refresh``: keep this one in its place. ``only``:
an earlier reply or none."""


class Tool(Noun):
    """A function that the model may call."""

    name: str
    """The function's name."""
    description: str = ""
    """What it does, for the model to read."""
    parameters: dict[str, Any] = {}
    """JSON Schema of its arguments."""
    returns: dict[str, Any] = {}
    """JSON Schema of its result, where the caller says it."""
    strict: bool | None = None
    """Ask the provider to hold the arguments to the schema."""
    eager: bool | None = None
    """Its arguments are to be streamed as they are written, where a provider would else wait until they are whole."""
    cache: CacheLife | None = None
    """The provider is asked to cache the prompt up to here."""
    hosted: dict[str, Any] = {}
    """For a tool that the provider runs by itself (a web search, say): the tool as the wire spells it. Only a provider of
    the wire that the request came by can be asked for it."""

    @property
    def told(self) -> str:
        """The description with what the function returns: for a wire that has no other place to say that."""
        if not self.returns:
            return self.description
        return (
            f"{self.description}\n\nReturns JSON of this schema: {msgspec.json.encode(self.returns).decode()}".strip()
        )


class Reasoning(Noun):
    """How much to think before the answer. Providers know one of the two; a wire turns one into the other."""

    effort: str | None = None
    """``none``, ``minimal``, ``low``, ``medium``, ``high``, or the provider's own word."""
    tokens: int | None = None
    """Most tokens of thinking: 0 for none, -1 where the provider is to choose."""
    shown: bool | None = None
    """Whether the thinking, or a summary of it, is to come with the reply."""


class Parameters(Noun, forbid_unknown_fields=True):
    """How to decode. ``None`` everywhere means: the model's own default. A misspelt name is refused, not lost."""

    temperature: float | None = None
    """Softmax temperature, 0 for greedy decoding."""
    top_p: float | None = None
    """Nucleus sampling mass, 0 to 1."""
    top_k: int | None = None
    """Sample from so many of the likeliest tokens."""
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
    response_name: str | None = None
    """Name of that schema, which some providers show to the model."""
    response_strict: bool = True
    """False: the schema guides the reply and need not bind it, where a provider tells the two apart."""
    response_json: bool = False
    """The reply must be a JSON object, of any shape."""
    logprobs: int | None = None
    """Log-probabilities of the answer's tokens, each with so many alternatives: 0 for the token alone."""
    parallel_tools: bool | None = None
    """Whether one reply may call several tools."""
    reasoning: Reasoning | None = None
    """How much to think."""
    extra: dict[str, Any] = {}
    """Fields of the provider's own wire, sent as they are."""


class ToEmbed(Noun):
    """Texts to turn into vectors."""

    inputs: tuple[str | tuple[int, ...], ...]
    """Texts, or token ids of them where the caller has tokenised already."""
    dimensions: int | None = None
    """Length of the vectors, where the model can choose."""
    use: str | None = None
    """What the vectors are for, in Cohere's words: ``search_document``, ``search_query``, ``classification`` ..."""


class ToRank(Noun):
    """Documents to put in order of their relevance to a query."""

    query: str
    """What is looked for."""
    documents: tuple[str, ...]
    """Texts, in the caller's order."""
    most: int | None = None
    """How many of the best to return; None for all."""


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
    embed: ToEmbed | None = None
    """What to embed, where vectors are wanted and no conversation."""
    rank: ToRank | None = None
    """What to put in order, where a ranking is wanted."""
    count: bool = False
    """Only the number of the prompt's tokens is wanted, and no answer."""
    stream: bool | None = None
    """Whether the caller reads the reply as it comes; None leaves it to whoever answers."""
    wire: str = ""
    """Name of the wire that the call came by; empty for a call of Noria's own."""
    unread: dict[str, Any] = {}
    """Fields of that wire without a noun. They go on to a provider of the same wire, and to no other."""
    headers: dict[str, str] = {}
    """Headers of that wire that go on to a provider of the same wire: versions and betas, never a key."""
    may_drop: tuple[str, ...] = ()
    """What may be left out where it can't be carried: names as in ``Carrying.cannot``; ``*`` for anything."""
    caller: Caller = Caller()
    """Whose key the call came with; it goes to no provider."""
    cache: CacheWish = ""
    """What the caller wants of Noria's cache of replies."""
    may_continue: bool = False
    """Where a reply breaks off, another model may go on from there, if there is one to fall back on."""
    max_cost_usd: float | None = None
    """A model whose answer may cost more, US dollars, is not called."""
    variables: dict[str, Any] = {}
    """Values for the app's prompt template; not part of any provider's wire."""
    lineage: Lineage = Lineage()
    """Where the call comes from."""
    trace: TraceContext | None = None
    """Place in a trace; the recorder starts a new one where there is none."""
    caused_by: str = ""
    """Span id of the call under way that waits for this one of Noria's own; empty where none does."""
    attributes: dict[str, Any] = {}
    """Anything else to keep on the span."""

    @property
    def operation(self) -> str:
        """``gen_ai.operation.name``: ``chat``, ``embeddings`` or ``rerank``; ``count_tokens`` where nothing is generated."""
        if self.count:
            return "count_tokens"
        return "embeddings" if self.embed is not None else "rerank" if self.rank is not None else "chat"

    @property
    def forced_tool(self) -> str | None:
        """Name of the one tool that ``tool_choice`` asks for; None where it asks for none or any."""
        match self.tool_choice:
            case {"function": {"name": str(name)}} | {"name": str(name)}:
                return name
        return None


def replace_lineage(request: Request, **changes: Any) -> Request:
    """``request`` with some lineage fields set."""
    return msgspec.structs.replace(request, lineage=msgspec.structs.replace(request.lineage, **changes))


_RARE = ("embed", "rank", "count", "unread", "headers")
"""What decides the answer too, and is left out of the id where it is not there, so that older ids stay."""


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
    if request.embed or request.rank or request.count or request.unread or request.headers:
        parts |= {name: value for name in _RARE if (value := getattr(request, name))}
    params, anything = _whole_as_such(request.params), _anything(request)
    if params is None or anything is None or (anything and not is_alike(anything)):
        return content_id("request", parts)
    parts["params"] = params
    return id_of("request", in_order(parts))


_NUMBERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
"""The parameters that may be no whole numbers."""
_LEAST, _MOST = 1e-4, 1e15
"""Between them numbers are written without an exponent."""


def _whole_as_such(params: Parameters) -> Parameters | None:
    """The parameters with whole numbers as integers; None where a number has to be written with more care."""
    whole: dict[str, int] = {}
    for name in _NUMBERS:
        number = getattr(params, name)
        if number is None:
            continue
        if not _LEAST <= abs(number) < _MOST and number != 0:  # not finite among them
            return None
        if number == int(number):
            whole[name] = int(number)
    return msgspec.structs.replace(params, **whole) if whole else params


def _anything(request: Request) -> list[Any] | None:
    """All in a request that may hold any JSON: only there can be further numbers that have to be written with care.

    To look through long texts for what might be a number would take longer than all else. None where a message holds a
    :class:`BlobPart`, the one part whose default is more than an empty text, which :func:`is_alike` can't know.
    """
    params = request.params
    found: list[Any] = []
    for value in (request.unread, request.tools, request.tool_choice, params.extra, params.response_schema):
        if value:
            found.append(value)  # noqa: PERF401  # a comprehension is a call, and mostly there is nothing
    for message in request.messages:
        if message.unread:
            found.append(message.unread)
        if isinstance(message.content, str):
            continue
        for part in message.content:
            if isinstance(part, BlobPart):
                return None
            if isinstance(part, OtherPart) or (isinstance(part, TextPart) and part.citations):
                found.append(part)
    return found
