"""What a text rests on: citations of its block <-> :class:`noria.core.messages.Citation`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from noria.core.messages import Citation

_CITED_BY = ("char_location", "page_location", "content_block_location", "search_result_location")


def citation_in(citation: Any, *, start: int | None = None, end: int | None = None) -> Citation:
    """A citation; ``start`` and ``end`` are the place of the block that rests on it, in the answer's text."""
    data = citation if isinstance(citation, dict) else {}
    document = data.get("document_index")
    return Citation(
        url=_word(data, "url") or _word(data, "source"),
        title=_word(data, "title") or _word(data, "document_title"),
        cited=_word(data, "cited_text"),
        document=document if isinstance(document, int) else None,
        start=start,
        end=end,
        data=data,
    )


def citation_out(citation: Citation) -> dict[str, Any]:
    """A citation in a reply: as it came, or, where another wire's model cites, what comes nearest."""
    if is_ours(citation):
        return citation.data
    if citation.document is not None:
        return {
            "type": "char_location",
            "cited_text": citation.cited,
            "document_index": citation.document,
            "document_title": citation.title or None,
            "start_char_index": 0,
            "end_char_index": len(citation.cited),
        }
    return {
        "type": "web_search_result_location",
        "cited_text": citation.cited,
        "url": citation.url,
        "title": citation.title or None,
        "encrypted_index": "",
    }


def is_ours(citation: Citation) -> bool:
    """Whether a citation is in Anthropic's own spelling, so that Anthropic takes it back."""
    kind = citation.data.get("type")
    return kind in _CITED_BY or (kind == "web_search_result_location" and bool(citation.data.get("encrypted_index")))


def cited_blocks(text: str, citations: tuple[Citation, ...]) -> Iterator[dict[str, Any]]:
    """The text in blocks that each rest on their own citations, as far as the citations say where they belong."""
    places: dict[tuple[int, int], list[Citation]] = {}
    for citation in citations:
        start, end = citation.start, citation.end
        placed = start is not None and end is not None and 0 <= start < end <= len(text)
        places.setdefault((start or 0, end or 0) if placed else (0, len(text)), []).append(citation)
    spans = sorted(places)
    if any(end > after for (_, end), (after, _) in pairwise(spans)):
        places, spans = {(0, len(text)): list(citations)}, [(0, len(text))]
    done = 0
    for start, end in spans:
        if start > done:
            yield {"type": "text", "text": text[done:start]}
        yield {"type": "text", "text": text[start:end], "citations": [citation_out(c) for c in places[start, end]]}
        done = end
    if done < len(text):
        yield {"type": "text", "text": text[done:]}


def _word(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""
