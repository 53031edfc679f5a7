"""Requests to Noria: the body of ``POST /v1beta/models/{model}:generateContent``.

Nothing that a caller sends is lost in silence: fields without a noun stay in ``Request.unread``, those of
``generationConfig`` with their place in their name, and are sent on to a provider of the same wire; parts without a noun
stay whole in ``OtherPart``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from noria.core.errors import InvalidInput
from noria.core.messages import Message, Part, TextPart, Thought, ToolCall, parted
from noria.core.requests import Parameters, Reasoning, Request, Tool
from noria.wires import makers
from noria.wires.bodies import read_object, read_shape
from noria.wires.google.choosing import read_choice
from noria.wires.google.functions import Pairing, read_call, read_result
from noria.wires.google.parts import read_part
from noria.wires.google.requests import CONFIG, DECLARATIONS, NAME, WHOLE
from noria.wires.google.schemas import json_schema
from noria.wires.google.seals import Seal, is_plain, seal_in
from noria.wires.google.shapes import ChoosingShape, ConfigShape, ContentShape, DeclarationShape, RequestShape
from noria.wires.google.spelling import camel

_KNOWN = frozenset(RequestShape.__struct_encode_fields__)
_KNOWN_CONFIG = frozenset(ConfigShape.__struct_encode_fields__)
_KNOWN_DECLARATION = frozenset(DeclarationShape.__struct_encode_fields__)
_JSON = "application/json"


def decode_request(body: bytes, *, model: str, stream: bool) -> Request:
    """Read a request's body. ``variables`` is Noria's own field: values for an app's prompt template.

    Raises:
        InvalidInput: names the field, such as ``contents[2].parts[0]``, and says what is wrong with it.
    """
    return _request(camel(read_object(body)), model=model, stream=stream)


def decode_count(body: bytes, *, model: str) -> Request:
    """Read the body of ``:countTokens``: a prompt, or under ``generateContentRequest`` all that would be sent with it.

    Raises:
        InvalidInput: as above.
    """
    fields = camel(read_object(body))
    whole = fields.pop(WHOLE, None)
    if whole is not None:
        if fields.get("contents"):
            raise InvalidInput(f"`contents` and `{WHOLE}` are both there; send one of them.")
        if not isinstance(whole, dict):
            raise InvalidInput(f"`{WHOLE}` must be an object.")
        fields = camel(whole)
    fields.pop("model", None)  # the path says it, too
    return msgspec.structs.replace(_request(fields, model=model, stream=False), count=True)


def _request(fields: dict[str, Any], *, model: str, stream: bool) -> Request:
    shape = read_shape(fields, RequestShape)
    unread = {name: value for name, value in fields.items() if name not in _KNOWN}
    tools, extras = _tools(shape.tools or [])
    if extras:
        unread[DECLARATIONS] = extras
    choice = _choice(shape.tool_config, unread)
    contents = shape.contents if isinstance(shape.contents, list) else [shape.contents]
    reading = _Conversation()
    if shape.system_instruction is not None:
        reading.system(_content(shape.system_instruction, "systemInstruction"))
    for i, content in enumerate(contents):
        reading.turn(_content(content, f"contents[{i}]"), f"contents[{i}]")
    params, n = _params(shape.generation_config or {}, unread)
    return Request(
        model=model,
        messages=tuple(reading.messages),
        params=params,
        tools=tools,
        tool_choice=choice,
        n=n,
        stream=stream,
        wire=NAME,
        unread=unread,
        variables=shape.variables or {},
    )


def _content(content: Any, at: str) -> ContentShape:
    if isinstance(content, str):
        return ContentShape(parts=[{"text": content}])
    return read_shape(camel(content), ContentShape, at=at)


def _params(fields: dict[str, Any], unread: dict[str, Any]) -> tuple[Parameters, int]:
    """Decoding parameters, and how many answers."""
    fields = camel(fields)
    if isinstance(thinking := fields.get("thinkingConfig"), dict):
        fields = fields | {"thinkingConfig": camel(thinking)}
    shape = read_shape(fields, ConfigShape, at="generationConfig")
    unread.update((CONFIG + name, value) for name, value in fields.items() if name not in _KNOWN_CONFIG)
    if shape.response_schema is not None and shape.response_json_schema is not None:
        raise InvalidInput(
            "`generationConfig.responseSchema` and `responseJsonSchema` are both there; send one of them."
        )
    schema = shape.response_json_schema
    if shape.response_schema is not None:
        schema = json_schema(shape.response_schema)
    as_json = shape.response_mime_type == _JSON
    if shape.response_mime_type not in {None, _JSON, "text/plain"}:  # one of an enumeration, say
        unread[CONFIG + "responseMimeType"] = shape.response_mime_type
        if schema is not None:
            unread[CONFIG + "responseJsonSchema"], schema = schema, None
    elif schema is not None and not as_json:
        raise InvalidInput("`generationConfig.responseMimeType` must be `application/json` where there is a schema.")
    thinking = shape.thinking_config
    params = Parameters(
        temperature=shape.temperature,
        top_p=shape.top_p,
        top_k=None if shape.top_k is None else int(shape.top_k),
        max_tokens=shape.max_output_tokens,
        stop=tuple(shape.stop_sequences or ()),
        seed=shape.seed,
        presence_penalty=shape.presence_penalty,
        frequency_penalty=shape.frequency_penalty,
        response_schema=schema,
        response_json=as_json and schema is None,
        logprobs=(shape.logprobs or 0) if shape.response_logprobs else None,
        reasoning=Reasoning(
            effort=thinking.thinking_level.lower() if thinking.thinking_level else None,
            tokens=thinking.thinking_budget,
            shown=thinking.include_thoughts,
        )
        if thinking
        else None,
    )
    return params, shape.candidate_count or 1


def _tools(given: list[dict[str, Any]]) -> tuple[tuple[Tool, ...], dict[str, Any]]:
    """Functions and Google's own tools; and what declarations say without a noun, by the function's name."""
    tools: list[Tool] = []
    extras: dict[str, Any] = {}
    for i, fields in enumerate(camel(one) for one in given):
        for name, value in fields.items():
            if name != DECLARATIONS:
                tools.append(Tool(name=name, hosted={name: value}))
                continue
            if not isinstance(value, list):
                raise InvalidInput(f"`tools[{i}].{name}` must be a list.")
            for j, declared in enumerate(value):
                at = f"tools[{i}].{name}[{j}]"
                if not isinstance(declared, dict):
                    raise InvalidInput(f"`{at}` must be an object.")
                declaration = camel(declared)
                tools.append(_function(read_shape(declaration, DeclarationShape, at=at)))
                if extra := {key: it for key, it in declaration.items() if key not in _KNOWN_DECLARATION}:
                    extras[tools[-1].name] = extra
    return tuple(tools), extras


def _function(shape: DeclarationShape) -> Tool:
    takes, returns = shape.parameters_json_schema, shape.response_json_schema
    return Tool(
        name=shape.name,
        description=shape.description or "",
        parameters=json_schema(shape.parameters or {}) if takes is None else takes,
        returns=json_schema(shape.response or {}) if returns is None else returns,
    )


def _choice(config: dict[str, Any] | None, unread: dict[str, Any]) -> str | dict[str, Any] | None:
    """Which functions to call; what there is no noun for stays in ``unread``."""
    if not config:
        return None
    fields = camel(config)
    choosing = fields.get("functionCallingConfig")
    choice = None
    if isinstance(choosing, dict):
        choosing = camel(choosing)
        if choosing.get("streamFunctionCallArguments"):
            raise InvalidInput("`toolConfig.functionCallingConfig.streamFunctionCallArguments` is not supported.")
        choice = read_choice(read_shape(choosing, ChoosingShape, at="toolConfig.functionCallingConfig"))
        if choice is not None:
            del fields["functionCallingConfig"]
    if fields and fields != {"functionCallingConfig": {}}:
        unread["toolConfig"] = fields
    return choice


class _Conversation:
    """Turns as messages, each result of a function as one of its own."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._pairing = Pairing()

    def system(self, content: ContentShape) -> None:
        """What the system says."""
        parts = [read_part(_spelt(part)) for part in content.parts]
        self.messages.append(Message(role="system", content=_content_of(parts)))

    def turn(self, content: ContentShape, at: str) -> None:
        """A turn of the user or the model."""
        if content.role == "model":
            self.messages.append(self._model(content, at))
        elif content.role in {None, "", "user", "function"}:
            self._user(content, at)
        else:
            raise InvalidInput(f"`{at}.role` is {content.role[:20]!r}; it must be `user` or `model`.")

    def _user(self, content: ContentShape, at: str) -> None:
        said: list[Part] = []
        for i, fields in enumerate(content.parts):
            part = _spelt(fields)
            if not isinstance(result := part.get("functionResponse"), dict):
                said.append(read_part(part))
                continue
            if said:
                self.messages.append(Message(role="user", content=_content_of(said)))
                said = []
            try:
                self.messages.append(read_result(result, self._pairing.answers(result)))
            except (ValueError, InvalidInput) as error:
                raise InvalidInput(f"`{at}.parts[{i}].functionResponse`: {error}") from error
        if said or not content.parts:
            self.messages.append(Message(role="user", content=_content_of(said)))

    def _model(self, content: ContentShape, at: str) -> Message:
        said: list[Part | ToolCall] = []
        thoughts: list[Thought] = []
        thinking = False
        for i, fields in enumerate(content.parts):
            part = _spelt(fields)
            signature = part.pop("thoughtSignature", None)
            seal = seal_in(signature) if isinstance(signature, str) else None
            place = len(said)
            if isinstance(call := part.get("functionCall"), dict):
                try:
                    called = read_call(call, signature, self._pairing.calls)
                except ValueError as error:
                    raise InvalidInput(f"`{at}.parts[{i}].functionCall`: {error}.") from error
                self._pairing.called(called)
                said.append(called)
                thinking = False
            elif part.pop("thought", None):
                text = part.get("text", "")
                thought = thoughts.pop() if thinking else Thought(at=place)
                thoughts.append(_sealed(thought, text if isinstance(text, str) else "", seal))
                thinking = seal is None
            else:
                if not (seal and part == {"text": ""}):
                    said.append(read_part(part))
                if seal:
                    thoughts.append(_sealed(Thought(at=len(said)), "", seal))
                thinking = False
        parts, calls = parted(said)
        return Message(
            role="assistant",
            content=_content_of(parts),
            tool_calls=calls,
            reasoning="".join(thought.text for thought in thoughts),
            thoughts=tuple(thoughts),
        )


def _sealed(thought: Thought, text: str, seal: Seal | None) -> Thought:
    """The block of thinking with more text, and with its seal where it ends."""
    return Thought(
        text=thought.text + text,
        signature=seal.signature if seal else "",
        redacted=bool(seal and seal.redacted),
        id=seal.id if seal else "",
        format=makers.GOOGLE if seal and is_plain(seal) else seal.format if seal else "",
        at=thought.at,
    )


def _spelt(part: dict[str, Any]) -> dict[str, Any]:
    """A part of a caller in camel case, a copy of its own."""
    return {name: camel(value) if isinstance(value, dict) else value for name, value in camel(part).items()}


def _content_of(parts: Sequence[Part]) -> str | tuple[Part, ...]:
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    return tuple(parts) if parts else ""
