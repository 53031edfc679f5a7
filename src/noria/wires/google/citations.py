"""What an answer rests on: ``groundingMetadata`` and ``citationMetadata`` <-> :class:`noria.core.messages.Citation`.

Google counts in bytes of UTF-8, each claim in its part of the answer (``partIndex``); Noria in characters of the whole text.
Source: https://ai.google.dev/api/generate-content#GroundingMetadata
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from noria.core.citing import place_of
from noria.core.messages import Citation


class Texts:
    """The texts of an answer by the numbers of their parts, while it comes or is written.

    Pieces of a stream that follow each other are one part, as clients put them together.
    """

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._parts = 0
        self._goes_on = ""
        """What the last part is, where a piece may go on with it."""

    def says(self, text: str, *, new: bool = False) -> None:
        """A text comes; it goes on with the one before where nothing came between, unless it is a part by itself."""
        self.passes("text", new=new)
        number = self._parts - 1
        self._texts[number] = self._texts.get(number, "") + text

    def passes(self, kind: str = "", *, new: bool = False) -> None:
        """A part comes, or more of one of that kind."""
        if new or not kind or kind != self._goes_on:
            self._parts += 1
        self._goes_on = kind

    def spans(self) -> list[tuple[int, int, str]]:
        """Of each text the number of its part, how many characters of the answer come before it, and the text."""
        begins = accumulate(map(len, self._texts.values()), initial=0)
        return [(number, begin, text) for (number, text), begin in zip(self._texts.items(), begins, strict=False)]


def read_grounding(metadata: dict[str, Any], texts: Texts) -> Iterator[Citation]:
    """A citation for each claim and source; for each source alone where no claim is said to rest on it."""
    chunks = _objects(metadata.get("groundingChunks"))
    supports = _objects(metadata.get("groundingSupports"))
    spans = texts.spans()
    cited: set[int] = set()
    for support in supports:
        segment = support.get("segment")
        start, end = _claim(segment if isinstance(segment, dict) else {}, spans)
        for index in support.get("groundingChunkIndices") or ():
            if isinstance(index, int) and 0 <= index < len(chunks):
                cited.add(index)
                data = {"groundingChunk": chunks[index], "groundingSupport": support}
                yield _source(chunks[index], start, end, data)
    for index, chunk in enumerate(chunks):
        if index not in cited:
            yield _source(chunk, None, None, {"groundingChunk": chunk})


def read_recited(metadata: dict[str, Any], texts: Texts) -> Iterator[Citation]:
    """A citation for each place that repeats a source's words."""
    encoded = "".join(text for _, _, text in texts.spans()).encode()
    for source in _objects(metadata.get("citations") or metadata.get("citationSources")):
        start, end = _span(source, encoded)
        yield Citation(
            url=_text(source.get("uri")),
            title=_text(source.get("title")),
            start=start,
            end=end,
            data={"citation": source},
        )


def write_grounding(citations: Sequence[Citation], texts: Texts) -> dict[str, Any]:
    """``groundingMetadata``: each source once, and each claim with those that it rests on."""
    chunks: list[dict[str, Any]] = []
    supports: dict[tuple[int, int], list[int]] = {}
    for citation in citations:
        chunk = _chunk(citation)
        if chunk not in chunks:
            chunks.append(chunk)
        if citation.start is not None and citation.end is not None:
            indices = supports.setdefault((citation.start, citation.end), [])
            if (index := chunks.index(chunk)) not in indices:
                indices.append(index)
    metadata: dict[str, Any] = {"groundingChunks": chunks}
    spans = texts.spans() or [(0, 0, "")]
    if supports:
        metadata["groundingSupports"] = [
            {"segment": _segment(spans, start, end), "groundingChunkIndices": indices}
            for (start, end), indices in supports.items()
        ]
    return metadata


def _source(chunk: dict[str, Any], start: int | None, end: int | None, data: dict[str, Any]) -> Citation:
    found = next((one for one in chunk.values() if isinstance(one, dict)), {})
    return Citation(
        url=_text(found.get("uri")),
        title=_text(found.get("title")),
        cited=_text(found.get("text")),
        start=start,
        end=end,
        data=data,
    )


def _chunk(citation: Citation) -> dict[str, Any]:
    if isinstance(chunk := citation.data.get("groundingChunk"), dict):
        return chunk
    named = {"uri": citation.url, "title": citation.title}
    named = {key: value for key, value in named.items() if value}
    if citation.url and not citation.cited:
        return {"web": named}
    return {"retrievedContext": named | ({"text": citation.cited} if citation.cited else {})}


def _segment(spans: Sequence[tuple[int, int, str]], start: int, end: int) -> dict[str, Any]:
    number, begin, text = spans[place_of(start, [begin for _, begin, _ in spans])]
    before, claim = text[: start - begin].encode(), text[start - begin : end - begin]
    part = {"partIndex": number} if number else {}
    begun = {"startIndex": len(before)} if before else {}  # as protocol buffers write it
    return {**part, **begun, "endIndex": len(before) + len(claim.encode()), "text": claim}


def _claim(segment: dict[str, Any], spans: Sequence[tuple[int, int, str]]) -> tuple[int | None, int | None]:
    """Where a claim is: in its part, or in the whole text, as Google counts where it streams; its words tell which."""
    number, words = segment.get("partIndex", 0), segment.get("text")
    whole = "".join(text for _, _, text in spans)
    places = [(begin, text) for part, begin, text in spans if part == number]
    found: list[tuple[int, int]] = []
    for begin, text in (*places, (0, whole)):
        start, end = _span(segment, text.encode())
        if start is not None and end is not None:
            found.append((begin + start, begin + end))
    return next((place for place in found if whole[slice(*place)] == words), found[0] if found else (None, None))


def _span(segment: dict[str, Any], encoded: bytes) -> tuple[int | None, int | None]:
    """Where a claim is, in characters; a start of 0 is left out on the wire."""
    start, end = segment.get("startIndex", 0), segment.get("endIndex")
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start <= end <= len(encoded):
        return None, None
    before = len(encoded[:start].decode("utf-8", "ignore"))
    return before, before + len(encoded[start:end].decode("utf-8", "ignore"))


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
