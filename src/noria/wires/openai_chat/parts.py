"""Content parts: texts, images, files, sound; and cache marks and citations on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from noria.core.errors import InvalidInput
from noria.core.messages import (
    AudioPart,
    BlobPart,
    CacheLife,
    Citation,
    FilePart,
    ImagePart,
    OtherPart,
    Part,
    TextPart,
)
from noria.wires.carrying import CITATIONS, Carrying, elsewhere


def part_in(part: dict[str, Any], at: str) -> Part:
    """A content part; one with any field that the nouns lack is kept whole.

    Raises:
        InvalidInput: it names no kind, or its text is none.
    """
    kind = part.get("type")
    if not isinstance(kind, str):
        raise InvalidInput(f"`{at}.type` must name the kind of the part, such as `text`.")
    if kind == "text" and not isinstance(part.get("text"), str):
        raise InvalidInput(f"`{at}.text` must be a text.")
    cache = cache_in(part.get("cache_control"))
    known = len(part) == (2 if cache is None else 3)
    return (_known_part(part, cache) if known else None) or OtherPart(data=part)


def _known_part(part: dict[str, Any], cache: CacheLife | None) -> Part | None:
    """A part of two fields, and a cache mark perhaps; None for one that the nouns can't hold."""
    match part:
        case {"type": "text", "text": str(text)}:
            return TextPart(text=text, cache=cache)
        case {"type": "image_url", "image_url": {"url": str(url), **rest}} if not {*rest} - {"detail"}:
            detail = rest.get("detail")
            return ImagePart(url=url, detail=detail, cache=cache) if isinstance(detail, str | None) else None
        case {"type": "file", "file": {"file_data": str(data), **rest}} if not {*rest} - {"filename"}:
            name = rest.get("filename")
            return FilePart(url=data, name=name, cache=cache) if isinstance(name, str | None) else None
        case {"type": "input_audio", "input_audio": {"data": str(data), "format": str(form), **rest}} if not rest:
            return AudioPart(data=data, format=form) if cache is None else None
    return None


def part_out(part: Part, carrying: Carrying, *, own: bool, cache: bool) -> dict[str, Any] | None:
    """A content part as it is sent; None where it may be left out.

    Arguments:
        part: the part.
        carrying: notes what can't be carried.
        own: the part came by this wire, so that what it says is the caller's and the server's affair.
        cache: the server takes ``cache_control``.
    """
    match part:
        case TextPart():
            if part.citations and not own:
                carrying.forgets("Chat Completions takes back no citations", CITATIONS)
            return {"type": "text", "text": part.text, **cache_out(part.cache, carrying, taken=cache)}
        case ImagePart():
            carrying.unnamed(part)
            detail = {} if part.detail is None else {"detail": part.detail}
            image = {"url": part.url, **detail}
            return {"type": "image_url", "image_url": image, **cache_out(part.cache, carrying, taken=cache)}
        case FilePart():
            return _file_out(part, carrying, own=own, cache=cache)
        case AudioPart():
            carrying.unnamed(part)
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
        case OtherPart() if own:
            return part.data
        case OtherPart():
            carrying.cannot(str(part.data.get("type", "part")))
            return None
        case BlobPart():
            raise elsewhere(part)


def _file_out(part: FilePart, carrying: Carrying, *, own: bool, cache: bool) -> dict[str, Any] | None:
    if part.cite:
        carrying.cannot("citations", "Chat Completions cites no documents")
    if not own and not part.url.startswith("data:"):
        carrying.cannot("file", "Chat Completions takes a file's bytes, and no address")
        return None
    name = part.name or ("" if own else f"document.{_suffix(part.url)}")
    file = {"file_data": part.url, **({"filename": name} if name else {})}
    return {"type": "file", "file": file, **cache_out(part.cache, carrying, taken=cache)}


def _suffix(url: str) -> str:
    """How a file of this data URL is usually called; OpenAI takes no file without a name."""
    return url.removeprefix("data:").partition(";")[0].partition("/")[2].replace("plain", "txt") or "pdf"


def cache_in(mark: Any) -> CacheLife | None:
    """A ``cache_control`` mark, as Anthropic spells it; None for what is none."""
    match mark:
        case {"type": "ephemeral", "ttl": "1h"} if len(mark) == 2:
            return "1h"
        case {"type": "ephemeral", "ttl": "5m"} if len(mark) == 2:
            return "5m"
        case {"type": "ephemeral"} if len(mark) == 1:
            return "5m"
    return None


def cache_out(life: CacheLife | None, carrying: Carrying, *, taken: bool) -> dict[str, Any]:
    """The mark as fields; servers that take none cache what prompts have in common by themselves."""
    if life is None:
        return {}
    if not taken:
        carrying.emulates("cache")
        return {}
    return {"cache_control": {"type": "ephemeral", **({"ttl": life} if life != "5m" else {})}}


def citations_in(
    annotations: Iterable[dict[str, Any]] | None, documents: Iterable[dict[str, Any]] | None = None
) -> tuple[Citation, ...]:
    """``annotations`` and ``document_citations`` of an answer; what is of another kind is kept as it came."""
    return tuple(map(_citation_in, (*(annotations or ()), *(documents or ()))))


def _citation_in(annotation: dict[str, Any]) -> Citation:
    match annotation:
        case {"type": "url_citation", "url_citation": {"url": str(url), **rest}}:
            start, end = rest.get("start_index"), rest.get("end_index")
            return Citation(
                url=url,
                title=str(rest.get("title") or ""),
                cited=str(rest.get("content") or ""),
                start=start if isinstance(start, int) else None,
                end=end if isinstance(end, int) else None,
            )
        case {"type": "document_citation", "document_citation": dict(cited)}:
            start, end, document = (cited.get(name) for name in ("start_index", "end_index", "document"))
            return Citation(
                title=str(cited.get("title") or ""),
                cited=str(cited.get("content") or ""),
                document=document if isinstance(document, int) else None,
                start=start if isinstance(start, int) else None,
                end=end if isinstance(end, int) else None,
            )
    return Citation(data=annotation)


def citations_out(citations: Iterable[Citation]) -> dict[str, Any]:
    """Citations as fields of an answer: ``annotations``, and ``document_citations`` for those of no URL.

    OpenAI's wire knows citations of URLs alone, and its clients refuse an annotation of another kind. ``content`` (the
    source's words) is OpenRouter's addition.
    """
    web, documents = [], []
    for citation in citations:
        if citation.url:
            web.append({"type": "url_citation", "url_citation": _cited(citation) | {"url": citation.url}})
        elif citation.data.get("type") in ("file_citation", "file_path"):
            web.append(citation.data)
        else:
            number = {} if citation.document is None else {"document": citation.document}
            documents.append({"type": "document_citation", "document_citation": _cited(citation) | number})
    return ({"annotations": web} if web else {}) | ({"document_citations": documents} if documents else {})


def _cited(citation: Citation) -> dict[str, Any]:
    content = {"content": citation.cited} if citation.cited else {}
    return {"start_index": citation.start or 0, "end_index": citation.end or 0, "title": citation.title, **content}
