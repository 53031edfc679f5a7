"""Content parts of items, and the annotations on texts."""

from __future__ import annotations

from typing import Any

from noria.core.errors import InvalidInput
from noria.core.messages import AudioPart, BlobPart, Citation, FilePart, ImagePart, OtherPart, Part, TextPart
from noria.wires.carrying import CITATIONS, Carrying, elsewhere

TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
"""Kinds of parts that are plain text."""


def part_in(part: dict[str, Any], at: str) -> Part:
    """A content part; one with any field that the nouns lack is kept whole.

    Raises:
        InvalidInput: it names no kind, or its text is none.
    """
    kind = part.get("type")
    if not isinstance(kind, str):
        raise InvalidInput(f"`{at}.type` must name the kind of the part, such as `input_text`.")
    if kind in TEXTS and not isinstance(part.get("text"), str):
        raise InvalidInput(f"`{at}.text` must be a text.")
    return _known_part(part) or OtherPart(data=part)


def _known_part(part: dict[str, Any]) -> Part | None:
    fields = {name: value for name, value in part.items() if value is not None and name != "type"}
    match part["type"]:
        case kind if kind in TEXTS and not fields.keys() - {"text", "annotations", "logprobs"}:
            cited = fields.get("annotations") or []
            citations = tuple(citation_in(one) for one in cited) if isinstance(cited, list) else ()
            return TextPart(text=fields["text"], citations=citations)
        case "input_image" if not fields.keys() - {"image_url", "detail"} and _texts(fields):
            url = fields.get("image_url")
            return ImagePart(url=url, detail=fields.get("detail")) if url is not None else None
        case "input_file" if not fields.keys() - {"file_data", "file_url", "filename"} and _texts(fields):
            url = fields.get("file_data") or fields.get("file_url")
            return FilePart(url=url, name=fields.get("filename")) if url is not None else None
        case "input_audio":
            match fields:
                case {"input_audio": {"data": str(data), "format": str(form), **rest}} if not rest and len(fields) == 1:
                    return AudioPart(data=data, format=form)
    return None


def _texts(fields: dict[str, Any]) -> bool:
    return all(isinstance(value, str) for value in fields.values())


def part_out(part: Part, carrying: Carrying, *, own: bool, said: bool) -> dict[str, Any] | None:
    """A content part as it is sent; None where it may be left out.

    Arguments:
        part: the part.
        carrying: notes what can't be carried.
        own: the part came by this wire.
        said: the model said it.
    """
    if getattr(part, "cache", None) is not None:
        carrying.emulates("cache")  # OpenAI caches what prompts have in common by itself
    match part:
        case TextPart():
            cited = [citation for citation in part.citations if own or citation.url]
            if len(cited) < len(part.citations):
                carrying.forgets("Responses takes back citations of addresses alone", CITATIONS)
            annotations = {"annotations": [*map(citation_out, cited)]} if said else {}
            return {"type": "output_text" if said else "input_text", "text": part.text, **annotations}
        case ImagePart():
            carrying.unnamed(part)
            return {"type": "input_image", "image_url": part.url, "detail": part.detail or "auto"}
        case FilePart():
            return _file_out(part, carrying, own=own)
        case AudioPart():
            carrying.unnamed(part)
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
        case OtherPart():
            if not own:
                carrying.cannot(str(part.data.get("type", "part")))
            return part.data if own else None
        case BlobPart():
            raise elsewhere(part)


def _file_out(part: FilePart, carrying: Carrying, *, own: bool) -> dict[str, Any]:
    if part.cite:
        carrying.cannot("citations", "Responses cites no documents of the request")
    inline = part.url.startswith("data:")
    name = part.name or ("document.pdf" if inline and not own else "")  # OpenAI takes no bytes without a name
    return {
        "type": "input_file",
        "file_data" if inline else "file_url": part.url,
        **({"filename": name} if name else {}),
    }


def citation_in(annotation: Any) -> Citation:
    """An annotation; one that is no ``url_citation`` is kept as it came."""
    match annotation:
        case {"type": "url_citation", "url": str(url)}:
            start, end = annotation.get("start_index"), annotation.get("end_index")
            return Citation(
                url=url,
                title=str(annotation.get("title") or ""),
                start=start if isinstance(start, int) else None,
                end=end if isinstance(end, int) else None,
            )
        case {"type": "file_citation", "start_index": _} | {"type": "document_citation"}:
            document, start, end = (annotation.get(key) for key in _DOCUMENT.values())
            title = annotation.get("title") or annotation.get("filename")
            return Citation(
                title=str(title or ""),
                cited=str(annotation.get("content") or ""),
                document=document if isinstance(document, int) else None,
                start=start if isinstance(start, int) else None,
                end=end if isinstance(end, int) else None,
            )
    return Citation(data=annotation if isinstance(annotation, dict) else {"annotation": annotation})


_DOCUMENT = {"document": "document", "start": "start_index", "end": "end_index"}


def citation_out(citation: Citation) -> dict[str, Any]:
    """A citation as an annotation, which clients read as one of four kinds.

    A document of the request is told as a file, which it is not; what more is known of it stands beside.
    """
    if citation.url:
        where = {"start_index": citation.start or 0, "end_index": citation.end or 0}
        return {"type": "url_citation", "url": citation.url, "title": citation.title, **where}
    if citation.data.get("type") in ("file_citation", "container_file_citation", "file_path"):
        return citation.data
    number = citation.document or 0
    more = {key: value for name, key in _DOCUMENT.items() if (value := getattr(citation, name)) is not None}
    content = {"content": citation.cited} if citation.cited else {}
    return {
        "type": "file_citation",
        "file_id": f"document_{number}",
        "filename": citation.title,
        "index": number,
        **({"start_index": None} | more),
        **content,
    }
