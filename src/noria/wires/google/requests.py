"""Requests to Google: the body of ``POST /models/{model}:generateContent``.

Source: https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from noria.core.errors import InvalidInput
from noria.core.messages import Message, OtherPart, Part, Thought, ToolCall
from noria.core.requests import Reasoning, Request, Tool
from noria.wires.carrying import Carrying
from noria.wires.effort import tokens_of
from noria.wires.google.choosing import write_choice
from noria.wires.google.functions import arguments_of, write_call, write_result
from noria.wires.google.parts import write_part
from noria.wires.google.schemas import unheld
from noria.wires.google.seals import Seal, is_plain
from noria.wires.wire import Encoded

NAME = "google"
"""The dialect's name."""
CONFIG = "generationConfig."
"""How fields of ``generationConfig`` without a noun begin in ``Request.unread``."""
DECLARATIONS = "functionDeclarations"
"""Under which fields of declarations without a noun are in ``Request.unread``, by the function's name."""
WHOLE = "generateContentRequest"
"""Under which Gemini's API counts the tokens of a whole request; Vertex AI takes its fields as they are."""
_COUNTED_BY_VERTEX = frozenset({"contents", "systemInstruction", "tools", "generationConfig"})
"""Fields of a request that Vertex AI counts the tokens of; it refuses all others."""

_CARRIED_ALIKE = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_tokens": "maxOutputTokens",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]*(?:/[A-Za-z0-9][A-Za-z0-9._@:-]*)*")
"""A model's name becomes a piece of the address: nothing in it may lead elsewhere."""
_RESOURCES = ("models/", "tunedModels/", "publishers/", "endpoints/", "projects/")
_BUDGETED = ("gemini-2.", "gemini-1.")
"""Models that take a budget of tokens and no level."""
_LARGEST_BUDGET = 24_576
"""What the smallest of them takes."""
_SEALED = "gemini-3"
"""Models that refuse a function call whose thinking is not sealed."""
_UNSEALED = "skip_thought_signature_validator"
"""What they take in its place for a call that another model made.
Source: https://ai.google.dev/gemini-api/docs/thought-signatures"""


def path_of(model: str, method: str) -> str:
    """The path of a call. Raises ``InvalidInput`` for a name that is none."""
    if not _MODEL.fullmatch(model):
        raise InvalidInput(f"{model[:80]!r} can't be the name of one of Google's models; nothing was sent.")
    return f"/{model}:{method}" if model.startswith(_RESOURCES) else f"/models/{model}:{method}"


def encode_request(request: Request, *, stream: bool, model: str, vertex: bool = False) -> Encoded:
    """Write a request. Fields in ``extra`` and ``unread`` never replace those that Noria sets itself.

    Raises:
        InvalidInput: it asks for what the wire can't carry.
    """
    if request.rank is not None:
        raise InvalidInput("Google's models rank no documents; nothing was sent.")
    carrying = Carrying(request, "Gemini")
    own = request.wire in {NAME, ""}
    unread = carrying.foreign(NAME, request)
    body: dict[str, Any] = {name: value for name, value in unread.items() if "." not in name and name != DECLARATIONS}
    body |= request.params.extra
    config = {name.removeprefix(CONFIG): value for name, value in unread.items() if name.startswith(CONFIG)}
    config |= _object(body.get("generationConfig")) | _config(request, model, carrying)
    if config:
        body["generationConfig"] = config
    system, contents = _Contents(request, model, carrying, own=own, named=vertex or request.wire == NAME).written()
    if system:
        body["systemInstruction"] = {"parts": system}
    body["contents"] = contents
    if request.tools:
        extras = _object(unread.get(DECLARATIONS))
        body["tools"] = [*_list(body.get("tools")), *_tools(request.tools, extras, carrying, own=own)]
    if request.params.parallel_tools is False:
        carrying.cannot("parallel_tools", "Gemini calls as many functions as it likes")
    if (choosing := write_choice(request, carrying)) is not None:
        body["toolConfig"] = _object(body.get("toolConfig")) | {"functionCallingConfig": choosing}
    return Encoded(
        path=path_of(model, "streamGenerateContent?alt=sse" if stream else "generateContent"),
        body=msgspec.json.encode(body),
        headers=dict(request.headers) if request.wire == NAME else {},
        dropped=carrying.dropped,
        emulated=carrying.emulated,
    )


def encode_count(request: Request, *, model: str, vertex: bool) -> Encoded:
    """Ask how many tokens a request has. Raises ``InvalidInput``."""
    call = encode_request(request, stream=False, model=model, vertex=vertex)
    path, fields = path_of(model, "countTokens"), msgspec.json.decode(call.body)
    if vertex:
        body = {name: value for name, value in fields.items() if name in _COUNTED_BY_VERTEX}
    else:
        body = {WHOLE: {"model": path.removeprefix("/").removesuffix(":countTokens"), **fields}}
    return msgspec.structs.replace(call, path=path, body=msgspec.json.encode(body))


def _config(request: Request, model: str, carrying: Carrying) -> dict[str, Any]:
    params = request.params
    config: dict[str, Any] = {
        written: value for name, written in _CARRIED_ALIKE.items() if (value := getattr(params, name)) is not None
    }
    if params.stop:
        config["stopSequences"] = params.stop
    if request.n != 1:
        config["candidateCount"] = request.n
    if params.logprobs is not None:
        config |= {"responseLogprobs": True} | ({"logprobs": params.logprobs} if params.logprobs else {})
    if params.response_json or params.response_schema is not None:
        config["responseMimeType"] = "application/json"
    if params.response_schema is not None:
        config["responseJsonSchema"] = params.response_schema
        if unheld(params.response_schema):
            carrying.emulates("response_schema")
    if params.reasoning is not None and (thinking := _thinking(params.reasoning, model)):
        config["thinkingConfig"] = thinking
    return config


def _thinking(reasoning: Reasoning, model: str) -> dict[str, Any]:
    """A budget for older models, a level for newer ones. No thinking at all is a budget of 0 for both."""
    budget = reasoning.tokens
    if budget is None and reasoning.effort is not None and (reasoning.effort == "none" or _is_budgeted(model)):
        budget = tokens_of(reasoning.effort)
    thinking: dict[str, Any] = {}
    if budget is not None:
        thinking["thinkingBudget"] = min(budget, _LARGEST_BUDGET) if reasoning.tokens is None else budget
    elif reasoning.effort is not None:
        thinking["thinkingLevel"] = "HIGH" if reasoning.effort == "max" else reasoning.effort.upper()
    if reasoning.shown is not None:
        thinking["includeThoughts"] = reasoning.shown
    return thinking


def _is_budgeted(model: str) -> bool:
    return model.rpartition("/")[2].startswith(_BUDGETED)


def _tools(tools: tuple[Tool, ...], extras: dict[str, Any], carrying: Carrying, *, own: bool) -> list[dict[str, Any]]:
    functions, hosted = [], []
    for tool in tools:
        if tool.cache is not None:
            carrying.cannot("cache", "Gemini caches by itself, or what was stored beforehand (`cachedContent`)")
        if tool.hosted:
            if own:
                hosted.append(tool.hosted)
            else:
                carrying.cannot(tool.name or "tools", "only its own provider can run this tool")
            continue
        function = _object(extras.get(tool.name)) | {"name": tool.name}
        if tool.description:
            function["description"] = tool.description
        if tool.parameters:
            function["parametersJsonSchema"] = tool.parameters
        if tool.returns:
            function["responseJsonSchema"] = tool.returns
        functions.append(function)
    return [*([{DECLARATIONS: functions}] if functions else []), *hosted]


class _Contents:
    """Writes a conversation: what the system says apart, results of functions together in one turn."""

    def __init__(self, request: Request, model: str, carrying: Carrying, *, own: bool, named: bool) -> None:
        self._messages = request.messages
        self._carrying = carrying
        self._own = own
        self._named = named
        self._sealed = model.rpartition("/")[2].startswith(_SEALED)
        self._names: dict[str, str] = {}
        self._system: list[dict[str, Any]] = []
        self._contents: list[dict[str, Any]] = []

    def written(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Parts of the system instruction, and the contents."""
        results: list[dict[str, Any]] | None = None
        for i, message in enumerate(self._messages):
            if message.name is not None and message.role != "tool":
                self._carrying.cannot("name", "Gemini's speakers have no names")
            if message.role in {"system", "developer"}:
                if self._contents:  # it has one place for all of them
                    self._carrying.emulates("system")
                self._system += self._parts(message)
            elif message.role == "tool":
                if results is None:
                    results = []
                    self._contents.append({"role": "user", "parts": results})
                name = self._names.get(message.tool_call_id or "") or message.name
                if not name:
                    raise InvalidInput(f"`messages[{i}].tool_call_id` names no call that was made before it.")
                results.append(write_result(message, name, self._carrying, own=self._own, named=self._named))
                continue
            elif message.role == "assistant":
                self._contents.append({"role": "model", "parts": self._said(message, i)})
            else:
                self._contents.append({"role": "user", "parts": self._parts(message)})
            results = None
        return self._system, self._contents

    def _parts(self, message: Message) -> list[dict[str, Any]]:
        if isinstance(message.content, str):
            return [{"text": message.content}]
        return [self._part(part) for part in message.content]

    def _part(self, part: Part) -> dict[str, Any]:
        if not isinstance(part, OtherPart) and getattr(part, "cache", None) is not None:
            self._carrying.cannot("cache", "Gemini caches by itself, or what was stored beforehand (`cachedContent`)")
        return write_part(part, self._carrying, own=self._own, named=self._named)

    def _call(self, call: ToolCall, at: str) -> dict[str, Any]:
        args = arguments_of(call.arguments)
        if args is None:
            raise InvalidInput(f"`{at}.function.arguments` must be a JSON object.")
        self._names[call.id] = call.name
        if call.cache is not None:
            self._carrying.cannot("cache", "Gemini caches by itself, or what was stored beforehand")
        return write_call(call, args, call.signature if is_plain(Seal(call.signature)) else "", made=False)

    def _said(self, message: Message, i: int) -> list[dict[str, Any]]:
        """What a model said, in its order, and its thinking at its places among it."""
        parts: list[dict[str, Any]] = []
        calls: list[int] = []
        for piece in message.pieces:
            if isinstance(piece, ToolCall):
                calls.append(len(parts))
                parts.append(self._call(piece, f"messages[{i}].tool_calls[{len(calls) - 1}]"))
            else:
                parts.append(self._part(piece))
        if self._sealed and calls and "thoughtSignature" not in parts[calls[0]]:
            parts[calls[0]]["thoughtSignature"] = _UNSEALED
            self._carrying.emulates("signature")
        for thought in reversed(message.thoughts):
            self._think(parts, thought, calls)
        if message.reasoning and not message.thoughts:
            parts.insert(0, {"text": message.reasoning, "thought": True})
        if message.refusal:
            parts.append({"text": message.refusal})
        return parts or [{"text": ""}]

    def _think(self, parts: list[dict[str, Any]], thought: Thought, calls: list[int]) -> None:
        """Put a block of thinking at its place. A seal alone belongs to the part before it, where that is no call."""
        seal = thought.signature
        if not is_plain(Seal(seal, thought.redacted, format=thought.format)):  # an id may be of the caller's wire alone
            if not thought.text:
                self._carrying.forgets("another provider has sealed and hidden this thinking")
                return
            seal = ""  # its words go without it
        sealed = {"thoughtSignature": seal} if seal else {}
        if thought.text or not sealed:
            parts.insert(thought.at, {"text": thought.text, "thought": True, **sealed})
        elif 0 < (at := thought.at) <= len(parts) and at - 1 not in calls and "thoughtSignature" not in parts[at - 1]:
            parts[at - 1] |= sealed
        else:
            parts.insert(thought.at, {"text": "", **sealed})


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
