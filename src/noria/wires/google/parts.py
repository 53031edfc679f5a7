"""The parts that a message is made of, in both directions, requests and replies alike.

What no noun stands for (code that Google ran, a file in Google's own store) is kept whole.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from noria.core.messages import AudioPart, BlobPart, FilePart, ImagePart, OtherPart, Part, TextPart
from noria.wires.carrying import CITATIONS, Carrying, elsewhere
from noria.wires.images import image_of
from noria.wires.shows import Shows

_TYPES = {
    ending: media
    for media, endings in {
        "image/png": ["png"],
        "image/jpeg": ["jpg", "jpeg"],
        "image/webp": ["webp"],
        "image/gif": ["gif"],
        "image/heic": ["heic"],
        "application/pdf": ["pdf"],
        "text/plain": ["txt"],
        "text/csv": ["csv"],
        "text/html": ["html"],
        "text/markdown": ["md"],
        "audio/mp3": ["mp3"],
        "audio/wav": ["wav"],
        "video/mp4": ["mp4"],
    }.items()
    for ending in endings
}
"""Media types by the ending of a URL's path: Google wants to be told."""
_FORMATS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "x-flac": "flac"}
"""Subtypes of ``audio/`` that have a more usual name."""
_OWN = frozenset(
    {"executableCode", "codeExecutionResult", "toolCall", "toolResponse", "inlineData", "fileData", "text"}
)
"""What a part of this dialect holds, that is kept whole."""


def read_part(part: dict[str, Any]) -> Part:
    """A part that is neither thinking nor a function call, nor answers one."""
    match part:
        case {"text": str(text)} if len(part) == 1:
            return TextPart(text=text)
        case {"inlineData": {"mimeType": str(media), "data": str(data), **rest}} if len(part) == 1:
            return _inline(media, data, _text(rest.get("displayName")))
        case {"fileData": {"fileUri": str(url), **rest}} if len(part) == 1 and _is_public(url):
            media = _text(rest.get("mimeType")) or _type_of(url) or ""
            if media.startswith("image/"):
                return ImagePart(url=url, name=_text(rest.get("displayName")))
            if not media.startswith(("audio/", "video/")):
                return FilePart(url=url, name=_text(rest.get("displayName")), media_type=media or None)
    return OtherPart(data=part)


def write_part(part: Part, carrying: Carrying, *, own: bool, named: bool) -> dict[str, Any]:
    """A part as the wire has it.

    Arguments:
        part: the part.
        carrying: notes what can't be carried.
        own: the caller speaks this dialect, or nobody's.
        named: names of files go with them: Vertex AI takes them, and Gemini's API does not.

    Raises:
        InvalidInput: it can't be carried.
    """
    match part:
        case TextPart():
            return _words(part, carrying)
        case ImagePart():
            if part.detail not in {None, "auto"}:
                carrying.cannot("detail", "Gemini sets the resolution for the whole request")
            return _by_url(part.url, None, _named(part, carrying, named=named))
        case FilePart():
            if part.cite:
                carrying.cannot("cite", "Gemini does not cite documents of the request")
            return _by_url(part.url, part.media_type, _named(part, carrying, named=named))
        case AudioPart():
            return _inline_data(f"audio/{part.format}", part.data, _named(part, carrying, named=named))
        case OtherPart():
            kind = part.data.get("type")
            if isinstance(kind, str) or not own or _OWN.isdisjoint(part.data):
                carrying.cannot(kind if isinstance(kind, str) else "part", "no part of Gemini's is like it")
                return {"text": ""}
            return part.data
        case BlobPart():
            raise elsewhere(part)


def _named(part: ImagePart | FilePart | AudioPart, carrying: Carrying, *, named: bool) -> str | None:
    """The name that goes with a file."""
    if not named:
        carrying.unnamed(part)
    return part.name if named else None


def _words(part: TextPart, carrying: Carrying) -> dict[str, Any]:
    if part.citations:
        carrying.forgets("Gemini takes back no citations", CITATIONS)
    return {"text": part.text}


def write_said(part: Part) -> dict[str, Any] | None:
    """A part of an answer as the wire has it; None for what only another dialect knows (see ``SHOWS``)."""
    if (image := image_of(part)) is not None:
        return _by_url(image.url, None)
    match part:
        case TextPart():
            return {"text": part.text}
        case FilePart():
            return _by_url(part.url, part.media_type)
        case AudioPart():
            return _inline_data(f"audio/{part.format}", part.data)
        case OtherPart():
            return None if "type" in part.data or _OWN.isdisjoint(part.data) else part.data
    return None


def _has_part(part: Part) -> bool:
    return write_said(part) is not None


SHOWS = Shows(_has_part)
"""What an answer on this wire can hold."""


def _inline(media: str, data: str, name: str | None) -> Part:
    kind, _, subtype = media.partition("/")
    if kind == "audio":
        return AudioPart(data=data, format=_FORMATS.get(subtype, subtype), name=name)
    url = f"data:{media};base64,{data}"
    return ImagePart(url=url, name=name) if kind == "image" else FilePart(url=url, name=name)


def _by_url(url: str, media: str | None, name: str | None = None) -> dict[str, Any]:
    if url.startswith("data:"):
        head, _, data = url.removeprefix("data:").partition(",")
        if not head.endswith(";base64"):  # a text of percent signs
            data = b64encode(unquote_to_bytes(data)).decode()
        return _inline_data(head.partition(";")[0] or media or "text/plain", data, name)
    known = media or _type_of(url)
    return {"fileData": {"fileUri": url, **({"mimeType": known} if known else {}), **_shown(name)}}


def _inline_data(media: str, data: str, name: str | None = None) -> dict[str, Any]:
    return {"inlineData": {"mimeType": media, "data": data, **_shown(name)}}


def _shown(name: str | None) -> dict[str, str]:
    return {"displayName": name} if name else {}


def _type_of(url: str) -> str | None:
    try:
        path = urlsplit(url).path
    except ValueError:
        return None
    return _TYPES.get(path.rpartition(".")[2].lower())


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _is_public(url: str) -> bool:
    """Whether others than Google can read it: not its cloud's buckets, not files that were uploaded to it."""
    return url.startswith("https://") and "//generativelanguage.googleapis.com/" not in url
