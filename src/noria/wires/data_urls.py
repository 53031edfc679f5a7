"""``data:`` URLs (RFC 2397): how images and documents travel inside a message."""

from __future__ import annotations

from typing import NamedTuple


class DataUrl(NamedTuple):
    """The two halves of a ``data:`` URL whose data is in base64."""

    media_type: str
    """Such as ``image/png``, without parameters, in lower case."""
    data: str
    """The bytes in base64."""


def read_data_url(url: str) -> DataUrl | None:
    """The halves; None where it is no ``data:`` URL, or its data is not in base64."""
    if url[:5].lower() != "data:":
        return None
    head, comma, data = url[5:].partition(",")
    media_type, *rest = head.split(";")
    if not comma or not rest or rest[-1].strip().lower() != "base64":
        return None
    return DataUrl(media_type.strip().lower() or "text/plain", data)


def write_data_url(media_type: str, data: str) -> str:
    """A ``data:`` URL. ``data`` is in base64."""
    return f"data:{media_type};base64,{data}"
