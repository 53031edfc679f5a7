"""What an answer rests on: ``groundingMetadata`` and ``citationMetadata`` <-> :class:`noria.core.messages.Citation`.

Google counts the answer's text in bytes of UTF-8, Noria in characters.
Source: https://ai.google.dev/api/generate-content#GroundingMetadata
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from noria.core.messages import Citation


def read_grounding(metadata: dict[str, Any], text: str) -> Iterator[Citation]:
    """A citation for each claim and source; for each source alone where no claim is said to rest on it."""
    chunks = _objects(metadata.get("groundingChunks"))
    supports = _objects(metadata.get("groundingSupports"))
    encoded = text.encode()
    cited: set[int] = set()
    for support in supports:
        segment = support.get("segment")
        start, end = _span(segment if isinstance(segment, dict) else {}, encoded)
        for index in support.get("groundingChunkIndices") or ():
            if isinstance(index, int) and 0 <= index < len(chunks):
                cited.add(index)
                data = {"groundingChunk": chunks[index], "groundingSupport": support}
                yield _source(chunks[index], start, end, data)
    for index, chunk in enumerate(chunks):
        if index not in cited:
            yield _source(chunk, None, None, {"groundingChunk": chunk})


def read_recited(metadata: dict[str, Any], text: str) -> Iterator[Citation]:
    """A citation for each place that repeats a source's words."""
    encoded = text.encode()
    for source in _objects(metadata.get("citations") or metadata.get("citationSources")):
        start, end = _span(source, encoded)
        yield Citation(
            url=_text(source.get("uri")),
            title=_text(source.get("title")),
            start=start,
            end=end,
            data={"citation": source},
        )


def write_grounding(citations: Sequence[Citation], text: str) -> dict[str, Any]:
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
    if supports:
        metadata["groundingSupports"] = [
            {"segment": _segment(text, start, end), "groundingChunkIndices": indices}
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


def _segment(text: str, start: int, end: int) -> dict[str, Any]:
    before, claim = text[:start].encode(), text[start:end]
    begun = {"startIndex": len(before)} if before else {}  # as protocol buffers write it
    return {**begun, "endIndex": len(before) + len(claim.encode()), "text": claim}


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
