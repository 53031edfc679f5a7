"""Blocks of content <-> parts, in requests and replies alike. A block that says more than its noun is kept whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput
from noria.core.messages import (
    AudioPart,
    BlobPart,
    FilePart,
    ImagePart,
    OtherPart,
    Part,
    TextPart,
    ToolCall,
)
from noria.wires.anthropic.citations import citation_in, cited_blocks, is_ours
from noria.wires.anthropic.documents import document_out, file_in
from noria.wires.anthropic.marks import cache_in, cache_out
from noria.wires.carrying import CITATIONS, Carrying, elsewhere
from noria.wires.data_urls import read_data_url, write_data_url
from noria.wires.shows import Shows

_UNPARSED = "INVALID_JSON"
"""Key under which arguments that are no JSON object travel, as Anthropic's guide to tool use proposes."""
_OF_THE_PROVIDER = frozenset({"server_tool_use", "mcp_tool_use", "container_upload"})
_ID = re.compile(r"[a-zA-Z0-9_-]+")


def part_in(block: dict[str, Any], at: str) -> Part:
    """A part of a message. ``at`` names it, such as ``messages[0].content[1]``. Raises ``InvalidInput``."""
    match block:
        case {"type": "text", **rest} if _only(rest, "text", "cache_control", "citations"):
            return TextPart(
                text=_text(block, "text", at),
                citations=tuple(citation_in(citation) for citation in block.get("citations") or ()),
                cache=cache_in(block, at),
            )
        case {
            "type": "image",
            "source": {"type": "base64", "media_type": str(kind), "data": str(data)} as source,
            **rest,
        }:
            if len(source) == 3 and _only(rest, "cache_control"):
                return ImagePart(url=write_data_url(kind, data), cache=cache_in(block, at))
        case {"type": "image", "source": {"type": "url", "url": str(url)} as source, **rest}:
            if len(source) == 2 and _only(rest, "cache_control"):
                return ImagePart(url=url, cache=cache_in(block, at))
        case {"type": "document", "source": dict(source), **rest} if _only(rest, "cache_control", "title", "citations"):
            if file := file_in(block, source, at):
                return file
    if not isinstance(block.get("type"), str):
        raise InvalidInput(f"`{at}.type` must name the kind of the block, such as `text`.")
    return OtherPart(data=block)


def part_out(part: Part, carrying: Carrying, *, as_it_came: bool) -> dict[str, Any] | None:
    """A block of a request; None where the part was left out.

    Arguments:
        carrying: decides about what the wire can't carry.
        as_it_came: what has no noun came by this wire.
    """
    match part:
        case TextPart():
            return _text_out(part, carrying)
        case ImagePart():
            carrying.unnamed(part)
            if part.detail not in {None, "auto"}:
                carrying.cannot("detail", "Anthropic has no resolution hint")
            if (inline := read_data_url(part.url)) is not None:
                source = {"type": "base64", "media_type": inline.media_type, "data": inline.data}
            else:
                source = {"type": "url", "url": part.url}
            return {"type": "image", "source": source} | cache_out(part.cache)
        case FilePart():
            return document_out(part, carrying)
        case OtherPart() if as_it_came:
            return part.data
        case OtherPart():
            carrying.cannot(str(part.data.get("type", "part")))
        case AudioPart():
            carrying.cannot("audio", "Anthropic's models don't hear")
        case BlobPart():
            raise elsewhere(part)
    return None


def said_out(part: Part) -> Iterator[dict[str, Any]]:
    """The blocks of one part of a reply; none of what the wire has no block for (see ``SHOWS``)."""
    match part:
        case TextPart():
            yield from cited_blocks(part.text, part.citations)
        case OtherPart() if is_of_the_provider(part.data):
            yield part.data


def _has_block(part: Part) -> bool:
    return isinstance(part, TextPart) or (isinstance(part, OtherPart) and is_of_the_provider(part.data))


SHOWS = Shows(_has_block, several=False, logprobs=False)
"""What a reply on this wire can hold."""


def is_of_the_provider(block: dict[str, Any]) -> bool:
    """Whether a block is what Anthropic's own tools did, in its own spelling."""
    kind = block.get("type")
    return isinstance(kind, str) and (kind in _OF_THE_PROVIDER or kind.endswith("_tool_result"))


def call_in(block: dict[str, Any], at: str) -> ToolCall | None:
    """A tool call; None where the block says more than the noun. Raises ``InvalidInput``."""
    if not _only(block, "type", "id", "name", "input", "cache_control", "caller"):
        return None
    if block.get("caller") not in (None, {"type": "direct"}):
        return None
    if not isinstance(block.get("input"), dict):
        raise InvalidInput(f"`{at}.input` must be an object.")
    return ToolCall(
        id=_text(block, "id", at),
        name=_text(block, "name", at),
        arguments=arguments_in(block["input"]),
        cache=cache_in(block, at),
    )


def call_out(call: ToolCall) -> dict[str, Any]:
    """A ``tool_use`` block, in requests and replies alike."""
    block = {"type": "tool_use", "id": id_out(call.id), "name": call.name, "input": arguments_out(call.arguments)}
    return block | cache_out(call.cache)


def arguments_in(given: dict[str, Any]) -> str:
    """Arguments as JSON text."""
    match given:
        case {"INVALID_JSON": str(text)} if len(given) == 1:
            return text
    return msgspec.json.encode(given).decode()


def arguments_out(text: str) -> msgspec.Raw | dict[str, Any]:
    """Arguments as an object, written as the model wrote them."""
    if not text.strip():
        return {}
    try:
        if isinstance(msgspec.json.decode(text), dict):
            return msgspec.Raw(text.encode())
    except UNREADABLE:
        pass
    return {_UNPARSED: text}


def id_out(id: str) -> str:
    """The id of a tool call in the letters that Anthropic takes: the same for the same id, in calls and results."""
    return id if _ID.fullmatch(id) else f"toolu_{sha256(id.encode(errors='surrogatepass')).hexdigest()[:24]}"


def _text_out(part: TextPart, carrying: Carrying) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": part.text}
    if own := [citation.data for citation in part.citations if is_ours(citation)]:
        block["citations"] = own
    if len(own) < len(part.citations):
        carrying.forgets("Anthropic takes back no other provider's", CITATIONS)
    return block | cache_out(part.cache)


def _only(fields: dict[str, Any], *known: str) -> bool:
    return not fields.keys() - set(known)


def _text(block: dict[str, Any], name: str, at: str) -> str:
    value = block.get(name)
    if not isinstance(value, str):
        raise InvalidInput(f"`{at}.{name}` must be a text." if name in block else f"`{at}.{name}` is missing.")
    return value
