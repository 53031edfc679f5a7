"""What a message is made of, as Converse's content blocks."""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput
from noria.core.messages import (
    AudioPart,
    BlobPart,
    CacheLife,
    FilePart,
    ImagePart,
    Message,
    OtherPart,
    Part,
    TextPart,
    Thought,
    ToolCall,
)
from noria.wires import makers
from noria.wires.carrying import CITATIONS, Carrying, elsewhere
from noria.wires.data_urls import read_data_url

_FORMATS = {
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/markdown": "md",
    "text/html": "html",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_NO_NAME = re.compile(r"[^A-Za-z0-9()\[\] -]+")
"""What a document's name must not hold."""
_UNSIGNED = "its models take back only thinking that they have signed"
Block = dict[str, Any]


def cache_point(life: CacheLife) -> Block:
    """The mark up to which the prompt is cached."""
    return {"cachePoint": {"type": "default"} | ({"ttl": life} if life == "1h" else {})}


def blocks_of(message: Message, carrying: Carrying) -> list[Block]:
    """The blocks of what a user or a tool says. An empty text, which Bedrock refuses, is none."""
    if isinstance(message.content, str):
        return [{"text": message.content}] if message.content else []
    return [block for part in message.content for block in _blocks(part, carrying)]


def said_blocks(message: Message, carrying: Carrying) -> list[Block]:
    """The blocks of an assistant's turn, each block of thinking at its place."""
    blocks: list[Block] = []
    for piece in message.pieces:
        if isinstance(piece, ToolCall):
            blocks.append(_call(piece))
            if piece.cache:
                blocks.append(cache_point(piece.cache))
        else:
            blocks += _blocks(piece, carrying)
    if message.refusal:
        blocks.append({"text": message.refusal})
    for thought in reversed(message.thoughts):
        if _is_foreign(thought):
            carrying.forgets(_UNSIGNED)
        else:
            blocks.insert(min(thought.at, len(blocks)), {"reasoningContent": _thought(thought)})
    if message.reasoning and not message.thoughts:
        carrying.forgets(_UNSIGNED)
    return blocks


def result_block(message: Message, carrying: Carrying) -> Block:
    """The result of a tool."""
    result: Block = {"toolUseId": message.tool_call_id or "", "content": blocks_of(message, carrying) or [{"text": ""}]}
    if message.tool_failed:
        result["status"] = "error"
    return {"toolResult": result}


def _call(call: ToolCall) -> Block:
    try:
        arguments = msgspec.json.decode(call.arguments or "{}")
    except UNREADABLE:
        arguments = None
    if not isinstance(arguments, dict):
        raise InvalidInput(f"The arguments of the call of `{call.name}` must be a JSON object to go to Bedrock.")
    return {"toolUse": {"toolUseId": call.id, "name": call.name, "input": arguments}}


def _is_foreign(thought: Thought) -> bool:
    """Whether nobody has sealed it, or somebody else. Claude's seals are the same here and at Anthropic."""
    if not thought.signature:
        return True
    return bool(thought.id) if not thought.format else not makers.may_be(thought.format, makers.ANTHROPIC)


def _thought(thought: Thought) -> Block:
    if thought.redacted:
        return {"redactedContent": thought.signature}
    return {"reasoningText": {"text": thought.text, "signature": thought.signature}}


def _blocks(part: Part, carrying: Carrying) -> list[Block]:
    block = _block(part, carrying)
    blocks = [block] if block is not None else []
    cache = getattr(part, "cache", None)
    return [*blocks, cache_point(cache)] if cache else blocks


def _block(part: Part, carrying: Carrying) -> Block | None:
    match part:
        case TextPart():
            if part.citations:
                carrying.forgets("Bedrock takes back no citations", CITATIONS)
            return {"text": part.text} if part.text else None
        case ImagePart():
            data = read_data_url(part.url)
            if data is not None and data.media_type in _IMAGES:
                carrying.unnamed(part)
                return {"image": {"format": _IMAGES[data.media_type], "source": {"bytes": data.data}}}
            carrying.cannot("image", "Bedrock takes png, jpeg, gif and webp, in the request itself and not by address")
        case FilePart():
            return _document(part, carrying)
        case AudioPart():
            carrying.unnamed(part)
            return {"audio": {"format": part.format, "source": {"bytes": part.data}}}
        case OtherPart():
            carrying.cannot(str(part.data.get("type") or "part"))
        case BlobPart():
            raise elsewhere(part)
    return None


def _document(part: FilePart, carrying: Carrying) -> Block | None:
    media_type, data = _file(part.url)
    if media_type not in _FORMATS:
        carrying.cannot("file", "Bedrock takes documents in the request itself: PDF, text, Word, Excel, CSV and HTML")
        return None
    name = _NO_NAME.sub(" ", part.name or "").strip()[:200] or "document"
    document: Block = {"format": _FORMATS[media_type], "name": name, "source": {"bytes": data}}
    if part.cite:
        document["citations"] = {"enabled": True}
    return {"document": document}


def _file(url: str) -> tuple[str, str]:
    """Media type and base64 of a ``data:`` URL; empty where it is none."""
    if (found := read_data_url(url)) is not None:
        return found.media_type, found.data
    head, comma, data = url.partition(",")
    if not comma or head[:5].lower() != "data:":
        return "", ""
    return head[5:].partition(";")[0].lower() or "text/plain", base64.b64encode(unquote_to_bytes(data)).decode()
