"""A provider's base URL, and what every request to it says of it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from noria.core.errors import InvalidInput

PORTS = {"http": 80, "https": 443}
"""Scheme -> the port where a URL names none."""
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""Name of a header (RFC 9110, section 5.6.2)."""
_FRAMING = frozenset({"content-length", "transfer-encoding"})


def shown_url(base_url: str, provider: str) -> str:
    """The base URL without user, password and query: fit to be shown, and part of the request's id.

    Raises:
        InvalidInput: it is no http or https URL.
    """
    parts = place(base_url, provider)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def place(base_url: str, provider: str) -> SplitResult:
    """The base URL's parts. Raises ``InvalidInput``."""
    try:
        parts = urlsplit(base_url)
        valid = bool(parts.hostname) and parts.port != 0 and base_url.isprintable() and " " not in base_url
        (parts.hostname or "").encode("idna")
    except ValueError:
        valid = False
    if not valid or parts.scheme not in PORTS:
        raise InvalidInput(
            f"The base URL of provider `{provider}` is not an http or https URL.",
            hint="Write it as https://host/v1.",
        )
    return parts._replace(path=parts.path.rstrip("/"))


def fixed_headers(place: SplitResult, host: str, *, kept: bool) -> dict[str, str]:
    """Headers of every request that are not the dialect's."""
    user = place.netloc.rpartition("@")[0]
    name = f"[{host}]" if ":" in host else host
    headers = {
        "Host": name if place.port is None else f"{name}:{place.port}",
        "User-Agent": "noria",
        "Accept-Encoding": "identity",
    }
    if user:
        headers["Authorization"] = f"Basic {base64.b64encode(unquote(user).encode()).decode()}"
    return headers if kept else headers | {"Connection": "close"}


def header_lines(*several: Mapping[str, str]) -> bytes:
    """Header lines, later ones in place of earlier ones. Raises ``InvalidInput`` for what would begin another line."""
    lines: dict[str, str] = {}
    for headers in several:
        for name, value in headers.items():
            if not (_TOKEN.fullmatch(name) and value.isprintable()) or name.lower() in _FRAMING:
                raise InvalidInput(
                    f"The header {name[:80]!r} can't be sent: it holds a character that no header can carry, or says how long the body is."
                )
            lines[name.lower()] = f"{name}: {value}\r\n"
    return "".join(lines.values()).encode("latin-1", "replace")


def joined(root: str, path: str, query: str) -> str:
    """Where a call goes: the wire's path below the root, with both queries."""
    if not query:
        return root + path
    return f"{root}{path}{'&' if '?' in path else '?'}{query}"
