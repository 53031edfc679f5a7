"""Every wire in, every wire out, every feature: what becomes of it."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from noria.core.errors import CallFailed, InvalidInput
from noria.core.events import Content, Event
from noria.core.folding import fold
from noria.core.messages import OtherPart, TextPart, ToolCall
from noria.core.replies import Choice, Reply
from noria.core.requests import Request
from noria.core.unfolding import events_of
from noria.wires import anthropic, google, openai_responses
from noria.wires.anthropic import Anthropic, Messages
from noria.wires.bedrock import Bedrock
from noria.wires.carrying import CITATIONS, FILENAME, IS_ERROR, THINKING
from noria.wires.cohere import Cohere
from noria.wires.google import GenerateContent, Google
from noria.wires.images import image_of
from noria.wires.openai_chat import ChatCompletions, OpenAIChat
from noria.wires.openai_responses import OpenAIResponses, Responses
from noria.wires.shows import ANSWERS, named
from noria.wires.tgi import Tgi
from noria.wires.wire import Answer, WireIn, WireOut
from wires.bedrock.framing import stream as framed
from wires.matrix.asked import FEATURES, Feature
from wires.recordings import features, recorded

INS: dict[str, WireIn] = {
    "openai_chat": ChatCompletions(),
    "openai_responses": Responses(),
    "anthropic": Messages(),
    "google": GenerateContent(),
}
OUTS: dict[str, WireOut] = {
    "OpenAI Chat": OpenAIChat(limit_field="max_completion_tokens", extensions=()),
    "compatible": OpenAIChat(),
    "Responses": OpenAIResponses(),
    "Anthropic": Anthropic(),
    "Google": Google(),
    "Cohere": Cohere(),
    "Bedrock": Bedrock(),
    "TGI": Tgi(template="{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"),
}
"""Who is called. ``compatible``: a server that speaks Chat Completions with the usual additions, such as vLLM."""
SHOWN = {
    "openai_chat": "OpenAI Chat Completions",
    "openai_responses": "OpenAI Responses",
    "anthropic": "Anthropic Messages",
    "google": "Google generateContent",
}
BASE: dict[str, dict[str, Any]] = {
    "openai_chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "openai_responses": {"model": "m", "input": "hi", "store": False},
    "anthropic": {"model": "claude-sonnet-4-5", "max_tokens": 1000, "messages": [{"role": "user", "content": "hi"}]},
    "google": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
}
SHOWS = {wire.NAME: wire.SHOWS for wire in (anthropic, google, openai_responses)}
"""Wires that haven't a place for everything."""
_READS = {
    "OpenAI Chat": "openai_chat",
    "compatible": "openai_chat",
    "Responses": "openai_responses",
    "Anthropic": "anthropic",
    "Google": "google",
}
"""Wires out that can be read back, by the wire in that reads them."""
ID = "0123456789abcdef0123456789abcdef"


def read(wire: str, body: dict[str, Any], *, stream: bool = False) -> tuple[Request, Answer]:
    """A call as the gateway reads it."""
    came = INS[wire] if wire != "google" or not stream else GenerateContent(stream=True)
    path = {"model": "m", "query": "alt=sse"}
    incoming = came.decode(json.dumps(body).encode(), path=path, id=ID, created=1_700_000_000)
    return incoming.request, incoming.answer


def asked(feature: Feature, wire: str, out: str) -> str:
    """What becomes of a feature that a caller asks for."""
    if wire not in feature.bodies:
        return ""
    request, _ = read(wire, BASE[wire] | feature.bodies[wire])
    try:
        sent = OUTS[out].encode(
            request, stream=False, model="claude-sonnet-4-5" if out in {"Anthropic", "Bedrock"} else "m"
        )
    except InvalidInput as error:
        allowed = msgspec.structs.replace(request, may_drop=("*",))
        try:
            left = OUTS[out].encode(allowed, stream=False, model="m")
        except InvalidInput:
            return "refused"
        assert left.dropped, (feature.name, wire, out, "allowed to be left out, and not reported")
        assert str(error)
        return "refused, or left out"
    if sent.dropped:
        assert sent.dropped in {(THINKING,), (CITATIONS,), (IS_ERROR,), (FILENAME,)}, (
            feature.name,
            wire,
            out,
            "left out without leave",
        )
        return "in part" if any(mark.encode() in sent.body for mark in feature.partly[:1]) else "left out"
    if sent.emulated:
        return "emulated"
    if _arrived(feature, out, sent.body):
        return "carried"
    return "in part" if any(mark.encode() in sent.body for mark in feature.partly) else "LOST"


def _arrived(feature: Feature, out: str, body: bytes) -> bool:
    if out not in _READS:
        return any(mark.encode() in body for mark in feature.marks)
    back, _ = read(_READS[out], json.loads(body))
    return bool(feature.arrived(back))


# -- replies ---------------------------------------------------------------------------------------------------------

Look = Callable[[Reply], Any]
Same = Callable[[Any, Any], bool]


class Said(NamedTuple):
    """One thing that a reply may hold."""

    feature: str
    """The recorded replies that have it."""
    look: Look
    """What of it a reply holds."""
    same: Same = operator.eq
    """Whether what a client reads is what was said."""
    beside: bool = False
    """It may stand in a field of Noria's own, beside what the client's models know."""


def _first(reply: Reply) -> Choice:
    return reply.choices[0]


def _calls(reply: Reply) -> list[tuple[str, Any]]:
    return [(call.name, json.loads(call.arguments or "{}")) for call in _first(reply).message.tool_calls]


def _seals(reply: Reply, *, hidden: bool) -> list[str]:
    thoughts = _first(reply).message.thoughts
    return [thought.signature for thought in thoughts if thought.signature and thought.redacted == hidden]


def _carries(said: list[str], back: list[str]) -> bool:
    """Seals may travel inside of a field that a client sends back as it came."""
    return len(said) == len(back) and all(seal in given for seal, given in zip(said, back, strict=True))


def _cited(reply: Reply) -> list[tuple[str, str]]:
    content = _first(reply).message.content
    parts = () if isinstance(content, str) else content
    return sorted((c.url, c.title) for part in parts for c in getattr(part, "citations", ()))


def _in_order(reply: Reply) -> list[tuple[str, list[tuple[str, str]]]]:
    """Calls by their names, and texts with what they rest on."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    for piece in _first(reply).message.pieces:
        match piece:
            case ToolCall():
                found.append((piece.name, []))
            case TextPart():
                found.append((piece.text, sorted((cited.url, cited.title) for cited in piece.citations)))
    return found


def _refused(reply: Reply) -> tuple[str, str]:
    """The words, and where they may be: a wire without a place for refusals tells them as text, or by the reason alone."""
    message = _first(reply).message
    by_reason = _first(reply).finish_reason in {"refusal", "content_filter"}
    return message.refusal or message.text, f"{message.text} {message.refusal}{' by the reason' if by_reason else ''}"


def _images(reply: Reply) -> list[str]:
    content = _first(reply).message.content
    images = () if isinstance(content, str) else map(image_of, content)
    return [image.url for image in images if image is not None]


def _others(reply: Reply) -> list[str]:
    content = _first(reply).message.content
    return [] if isinstance(content, str) else [named(part) for part in content if isinstance(part, OtherPart)]


REPLIES: dict[str, Said] = {
    "text": Said("text", lambda r: r.text),
    "tool call": Said("tools", _calls),
    "parallel calls": Said("parallel_tools", _calls),
    "thinking": Said("thinking", lambda r: _first(r).message.reasoning),
    "its seal": Said("thinking", lambda r: _seals(r, hidden=False), _carries),
    "hidden thinking": Said("redacted_thinking", lambda r: _seals(r, hidden=True), _carries),
    "citations": Said("citations", _cited),
    "citations behind a call": Said("cited_order", _in_order),
    "log-probabilities": Said(
        "logprobs", lambda r: [token["token"] for token in (_first(r).logprobs or {}).get("content", [])]
    ),
    "n": Said("n", lambda r: [choice.message.text for choice in r.choices]),
    "a generated image": Said("image", _images),
    "what the provider's tools did": Said("hosted_tools", _others, beside=True),
    "refusal": Said("refusal", _refused, lambda said, back: said[0] in back[1] or "by the reason" in back[1]),
    "cut at the limit": Said("length", lambda r: _first(r).finish_reason == "length"),
    "stop sequence": Said("stop", lambda r: _first(r).finish_reason),
    "cached tokens": Said("cached_usage", lambda r: r.usage and (r.usage.input_tokens, r.usage.cached_tokens)),
    "usage": Said("text", lambda r: r.usage and (r.usage.input_tokens, r.usage.output_tokens)),
}
RECORDED = {
    "OpenAI Chat": ("openai_chat", "sse"),
    "Responses": ("openai_responses", "sse"),
    "Anthropic": ("anthropic", "sse"),
    "Google": ("google", "sse"),
    "Cohere": ("cohere", "sse"),
    "Bedrock": ("bedrock", "jsonl"),
    "TGI": ("tgi", "sse"),
}
FROM = tuple(RECORDED)


def stream_of(folder: str, feature: str, suffix: str) -> bytes:
    """The bytes of a recorded stream; AWS frames its events in binary."""
    return framed(feature) if suffix == "jsonl" else recorded(f"{folder}/{feature}.{suffix}")


def answered(name: str, wire: str, out: str) -> str:
    """What a caller of a wire sees of what a provider said."""
    said = REPLIES[name]
    folder, streamed = RECORDED[out]
    if said.feature not in features(folder, "json"):
        return ""
    request = Request(model="m", messages=())
    reply = OUTS[out].decode_reply(recorded(f"{folder}/{said.feature}.json"), request)
    if not said.look(reply):
        return ""
    found = {"whole": _seen(said, wire, reply, events_of(reply), streamed=False)}
    if streamed and said.feature in features(folder, streamed):
        decoder = OUTS[out].decoder(request)
        events = list(decoder.feed(stream_of(folder, said.feature, streamed)))
        decoder.close()
        found["streamed"] = _seen(said, wire, fold(events), events, streamed=True)
    kept = [way for way, there in found.items() if there]
    if len(kept) == len(found):
        return "told"
    return f"told {kept[0]} only" if kept else _told_of(wire, reply)


def _told_of(wire: str, reply: Reply) -> str:
    """What a caller is told of what can't be shown."""
    lacks = set(SHOWS[wire].lacks(reply)) if wire in SHOWS else set()
    return "an error" if lacks & ANSWERS else "left out" if lacks else "LOST"


def _seen(said: Said, wire: str, reply: Reply, events: Any, *, streamed: bool) -> bool:
    """Whether a client of the wire reads it, in one of the two ways of delivery."""
    try:
        if streamed:
            body = written(wire, events)
            back = streamed_back(wire, body)
        else:
            _, answer = read(wire, BASE[wire])
            body = answer.whole(reply)
            back = OUTS[_CLIENTS[wire]].decode_reply(body, Request(model="m"))
        return said.same(said.look(reply), said.look(back)) or (said.beside and b'"other_parts"' in body)
    except CallFailed:
        return False


_CLIENTS = {
    "openai_chat": "compatible",
    "openai_responses": "Responses",
    "anthropic": "Anthropic",
    "google": "Google",
}
"""By whom a wire in is read as its clients read it."""


def written(wire: str, events: Iterable[Event]) -> bytes:
    """A streamed reply as a caller of the wire gets it."""
    asks = BASE[wire] | ({"stream": True} if wire != "google" else {})
    if wire == "openai_chat":
        asks |= {"stream_options": {"include_usage": True}}
    _, answer = read(wire, asks, stream=True)
    return b"".join(map(answer.encode, events)) + answer.finish()


def streamed_back(wire: str, body: bytes) -> Reply:
    """What a client of the wire reads in a stream."""
    decoder = OUTS[_CLIENTS[wire]].decoder(Request(model="m"))
    made: list[Content] = list(decoder.feed(body))
    decoder.close()
    return fold(made)


def page() -> str:
    """The matrix as a page."""
    text = [_HEAD]
    for wire, shown in SHOWN.items():
        rows = [(f.name, [asked(f, wire, out) for out in OUTS]) for f in FEATURES if wire in f.bodies]
        text.append(f"## Asked through {shown}\n\n{_table('asked for', list(OUTS), rows)}")
    for wire, shown in SHOWN.items():
        rows = [(name, [answered(name, wire, out) for out in FROM]) for name in REPLIES]
        text.append(f"## Answered to a client of {shown}\n\n{_table('said by', list(FROM), rows)}")
    return "\n".join(text)


def _table(corner: str, columns: list[str], rows: list[tuple[str, list[str]]]) -> str:
    lines = [f"| {corner} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(_CELLS.get(cell, cell) for cell in cells)} |" for name, cells in rows]
    return "\n".join(lines) + "\n"


_CELLS = {"carried": "✓", "told": "✓", "emulated": "emulated", "refused, or left out": "refused", "": "–"}
_HEAD = """# Fidelity

What becomes of what a caller asks for, and of what a provider says, for every wire in and every wire out. This page is
written by `tests/wires/matrix`, which also holds it equal to what the wires do: from requests in each wire's own words, and
from [recorded replies](../tests/wires/recorded) in each provider's documented shape, whole and streamed. "compatible" is a
server of OpenAI's Chat Completions with the usual additions, such as vLLM; TGI's entry has a chat template. The page
says nothing about what a model makes of what it is sent.

| cell | meaning |
|---|---|
| ✓ | It arrives: what was written was read back, and says the same. |
| emulated | The wire lacks it, Noria does it in its place, and says so in `noria-emulated`. |
| refused | The wire lacks it: 400 with a sentence; with `noria-may-drop` it is left out, and said so in `noria-dropped` and on the span. |
| refused always | As before, and it can't be left out. |
| left out | Thinking of an earlier turn that another provider has sealed, what an earlier answer rests on, the mark that a tool failed, or the name of a file; of an answer what only goes with it, and the caller's wire has no place for: left out, and said so in `noria-dropped` and on the span. |
| an error | The answer itself has no place in the caller's wire: an error that says what was paid, behind all that can be shown; before the call where the request asks for it. With `noria-may-drop` it is left out, and said so. |
| in part | Thinking arrives as words: the seal is of use to its own provider alone, and the caller still has it. |
| – | The wire has no words for it, or no reply with it is recorded. |
"""
