"""What the SDK is told: where Noria is, what may be recorded, and how much memory waiting records may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from noria.core.errors import InvalidInput

Redact = Callable[[str, Any], Any]
"""Takes the name of an attribute and the value about to be recorded, and gives the value to record in its place."""


@dataclass(frozen=True, kw_only=True)
class SDKSettings:
    """The SDK's configuration."""

    url: str = ""
    """Noria's base URL; empty records nothing."""
    key: str = field(default="", repr=False)
    """The key sent with everything; only ever to ``url``."""
    app: str = ""
    """Name that the records are filed under; empty leaves it to OpenTelemetry's ``service.name``."""
    capture: bool = True
    """Whether inputs, outputs and error messages are recorded, where a step does not say itself."""
    redact: Redact | None = None
    """Sees every content before it is recorded."""
    queue_records: int = 10_000
    """Most spans, and most scores, that wait to be sent; what comes beyond is dropped and counted."""
    queue_bytes: int = 64 << 20
    """Most bytes that wait to be sent, about."""
    value_bytes: int = 4 << 20
    """Longest content of one attribute; what is longer is cut, and the span says so."""
    linger_s: float = 0.5
    """Seconds that a record waits for others to travel with."""
    timeout_s: float = 10.0
    """Seconds for one request to Noria."""
    patience_s: float = 600.0
    """Seconds after which records that Noria did not take are given up."""
    exit_s: float = 5.0
    """Longest time that the end of the process is held up to send what waits."""
    prompt_ttl_s: float = 60.0
    """Seconds for which a fetched prompt is used without asking again."""


def sdk_settings(environ: Mapping[str, str], **given: Any) -> SDKSettings:
    """The configuration: what is given, else ``NORIA_URL`` and ``NORIA_API_KEY``.

    Raises:
        InvalidInput: the URL is none, or the key can't be sent.
    """
    named = {name: value for name, value in given.items() if value is not None}
    named.setdefault("url", environ.get("NORIA_URL", "").strip())
    named.setdefault("key", environ.get("NORIA_API_KEY", "").strip())
    unknown = sorted(named.keys() - SDKSettings.__dataclass_fields__.keys())
    if unknown:
        raise InvalidInput(
            f"The SDK has no setting {unknown[0]!r}.", hint=f"It takes {', '.join(SDKSettings.__dataclass_fields__)}."
        )
    settings = SDKSettings(**named)
    if not settings.url:
        return settings
    try:
        parts = urlsplit(settings.url)
        right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if right and parts.netloc.rpartition("@")[1]:
        raise InvalidInput("The server's URL can't hold a user or a password.", hint="Give the key as NORIA_API_KEY.")
    if not right:
        raise InvalidInput(
            f"{settings.url!r} is no server's URL.", hint="Give one such as http://127.0.0.1:7700 (url or NORIA_URL)."
        )
    if not (settings.key.isascii() and settings.key.isprintable()):
        raise InvalidInput("The key has characters that can't be sent.", hint="Check NORIA_API_KEY.")
    return settings
