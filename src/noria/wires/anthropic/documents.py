"""Documents: blocks of requests <-> :class:`noria.core.messages.FilePart`."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from noria.core.errors import InvalidInput
from noria.core.messages import FilePart
from noria.wires.anthropic.marks import cache_in, cache_out
from noria.wires.carrying import Carrying
from noria.wires.data_urls import read_data_url, write_data_url


def file_in(block: dict[str, Any], source: dict[str, Any], at: str) -> FilePart | None:
    """A document; None where it says more than the noun."""
    if block.get("citations") not in (None, {"enabled": False}, {"enabled": True}):
        return None
    media_type: str | None = None
    match [source.get("type"), source.get("media_type"), source.get("data"), source.get("url"), len(source)]:
        case ["base64", str(kind), str(data), None, 3]:
            url = write_data_url(kind, data)
        case ["text", "text/plain", str(text), None, 3]:
            url = write_data_url("text/plain", base64.b64encode(text.encode(errors="surrogatepass")).decode())
        case ["url", None, None, str(url), 2]:
            media_type = "application/pdf"
        case _:
            return None
    title = block.get("title")
    if title is not None and not isinstance(title, str):
        raise InvalidInput(f"`{at}.title` must be a text.")
    cite = block.get("citations") == {"enabled": True}
    return FilePart(url=url, name=title, media_type=media_type, cite=cite, cache=cache_in(block, at))


def document_out(part: FilePart, carrying: Carrying) -> dict[str, Any] | None:
    """A block of a request; None where the document was left out. Raises ``InvalidInput``."""
    source: dict[str, Any]
    inline = read_data_url(part.url)
    if inline is None:
        if part.media_type not in {None, "application/pdf"}:
            carrying.cannot("file", f"Anthropic fetches PDFs alone, and this is {part.media_type}")
            return None
        source = {"type": "url", "url": part.url}
    elif inline.media_type == "application/pdf":
        source = {"type": "base64", "media_type": inline.media_type, "data": inline.data}
    elif inline.media_type.startswith("text/"):
        source = {"type": "text", "media_type": "text/plain", "data": _plain(inline.data)}
    else:
        carrying.cannot("file", f"Anthropic reads PDFs and plain text, and this is {inline.media_type}")
        return None
    block: dict[str, Any] = {"type": "document", "source": source}
    if part.name:
        block["title"] = part.name
    if part.cite:
        block["citations"] = {"enabled": True}
    return block | cache_out(part.cache)


def _plain(data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"A document is no text in base64: {error}.", kept="Nothing was sent.") from error
