"""The browser client's files, read once when the server starts. A name that is not among them is not looked for."""

from __future__ import annotations

import importlib.resources
import mimetypes
from collections.abc import Mapping
from typing import NamedTuple

from noria.serve.asgi import Headers

PAGE_HEADERS: Headers = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
            b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
        ),
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-cache"),
)
"""Traces are hostile text: the pages that show them run no script but Noria's own, and load nothing from elsewhere.
Trusted types make the browser itself refuse to read any text as HTML."""


class StaticFile(NamedTuple):
    """A file to serve."""

    body: bytes
    content_type: str


def static_files() -> Mapping[str, StaticFile]:
    """Every file of the browser client, by name."""
    folder = importlib.resources.files("noria.serve") / "static"
    return {file.name: StaticFile(file.read_bytes(), _content_type(file.name)) for file in folder.iterdir()}


def _content_type(name: str) -> str:
    """By the file's name. ``.js`` is set here, because Windows lets any program redefine it in the registry."""
    kind = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0]
    return f"{kind or 'application/octet-stream'}; charset=utf-8"
