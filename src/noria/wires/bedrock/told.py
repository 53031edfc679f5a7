"""What the blocks of a reply mean: the same events whether they come whole or in pieces."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

import msgspec

from noria.core.errors import CallFailed, CallGarbled
from noria.core.events import Delta, ThoughtDelta, ToolCallDelta
from noria.core.messages import Citation, ImagePart
from noria.wires import makers
from noria.wires.bedrock.shapes import BlockShape, CitationShape, ImageShape, ReasoningShape, ToolUseShape
from noria.wires.data_urls import write_data_url


class Told:
    """Follows one reply. Tool calls and blocks of thinking are numbered in the order in which they come.

    What a stream cites, and the images in it, are told when their block ends: a citation is about the text of its block.
    """

    def __init__(self) -> None:
        self._calls: dict[int, int] = {}
        self._thoughts: dict[int, int] = {}
        self._length = 0
        """How many characters of the answer there are."""
        self._begins: dict[int, int] = {}
        """Block -> how many come before its text."""
        self._citations: dict[int, list[CitationShape]] = {}
        self._images: dict[int, list[ImageShape]] = {}

    def take(self, index: int, block: BlockShape) -> Iterator[Delta]:
        """A block, or more of one. Raises ``CallFailed`` for an image that could not be made."""
        if block.text:
            self._begins.setdefault(index, self._length)
            self._length += len(block.text)
            yield Delta(text=block.text)
        if block.tool_use is not None:
            yield Delta(tool_calls=(self._call(index, block.tool_use),))
        if block.reasoning_content is not None:
            yield self._thought(index, block.reasoning_content)
        if block.citation is not None:
            self._citations.setdefault(index, []).append(block.citation)
        if block.image is not None:
            self._images.setdefault(index, []).append(block.image)
        if (cited := block.citations_content) is not None:
            text = "".join(piece.text or "" for piece in cited.content or ())
            start, self._length = self._length, self._length + len(text)
            citations = (_citation(shape, start, self._length) for shape in cited.citations or ())
            yield Delta(text=text, citations=tuple(citations))

    def close(self, index: int) -> Iterator[Delta]:
        """A block is complete. Raises ``CallFailed`` as above."""
        begin = self._begins.pop(index, None)
        if cited := self._citations.pop(index, None):
            place = (None, None) if begin is None else (begin, self._length)
            yield Delta(citations=tuple(_citation(shape, *place) for shape in cited))
        if images := self._images.pop(index, None):
            yield Delta(parts=(_image(images),))

    def close_all(self) -> Iterator[Delta]:
        """The reply is complete."""
        for index in sorted({*self._citations, *self._images}):
            yield from self.close(index)

    def _call(self, index: int, use: ToolUseShape) -> ToolCallDelta:
        arguments = use.input
        if arguments is not None and not isinstance(arguments, str):  # whole replies have an object, streams its text
            arguments = msgspec.json.encode(arguments).decode()
        number = self._calls.setdefault(index, len(self._calls))
        return ToolCallDelta(index=number, id=use.tool_use_id or "", name=use.name or "", arguments=arguments or "")

    def _thought(self, index: int, reasoning: ReasoningShape) -> Delta:
        whole = reasoning.reasoning_text
        signature = reasoning.redacted_content or (whole.signature if whole else reasoning.signature) or ""
        piece = ThoughtDelta(
            index=self._thoughts.setdefault(index, len(self._thoughts)),
            signature=signature,
            redacted=reasoning.redacted_content is not None,
            format=makers.ANTHROPIC if signature else "",  # Claude is the one that signs there
        )
        return Delta(reasoning=(whole.text if whole else reasoning.text) or "", thought=piece)


def _citation(shape: CitationShape, start: int | None = None, end: int | None = None) -> Citation:
    data: dict[str, Any] = {name: value for name, value in msgspec.to_builtins(shape).items() if value is not None}
    location = shape.location or {}
    place = next((value for value in location.values() if isinstance(value, dict)), {})
    document = place.get("documentIndex")
    return Citation(
        url=str(place.get("url") or _address(shape.source)),
        title=shape.title or "",
        cited="".join(piece.text or "" for piece in shape.source_content or ()),
        document=document if isinstance(document, int) else None,
        start=start,
        end=end,
        data=data,
    )


def _address(source: str | None) -> str:
    """Where a source is, where it names an address and not a document."""
    return source if source is not None and source.startswith(("https://", "http://")) else ""


def _image(pieces: list[ImageShape]) -> ImagePart:
    """An image that came in pieces: its format first, then its bytes."""
    kind, data = "png", bytearray()
    for piece in pieces:
        if piece.error is not None:
            raise CallFailed(f"Bedrock's model made no image: {piece.error.message or 'it does not say why'}")
        kind = piece.format or kind
        try:
            data += base64.b64decode((piece.source.bytes if piece.source else None) or "", validate=True)
        except binascii.Error as error:
            raise CallGarbled(f"Bedrock sent an image that is no base64: {error}.") from error
    return ImagePart(url=write_data_url(f"image/{kind}", base64.b64encode(data).decode()))
