"""How OpenTelemetry's environment variables are written."""

from __future__ import annotations

from urllib.parse import unquote

from noria.core.errors import InvalidInput


def pairs_from(written: str) -> dict[str, str]:
    """``name=value`` pairs with commas, values percent-encoded: ``OTEL_RESOURCE_ATTRIBUTES``. What is no pair is left out."""
    found = (piece.partition("=") for piece in written.split(","))
    return {name.strip(): unquote(value.strip()) for name, _, value in found if name.strip() and value.strip()}


def headers_from(written: str) -> dict[str, str]:
    """Headers as ``OTEL_EXPORTER_OTLP_HEADERS`` has them: ``name=value`` pairs with commas, values percent-encoded.

    Raises:
        InvalidInput: a pair has no ``=``, or a character that a header can't have.
    """
    found: dict[str, str] = {}
    for pair in filter(None, (piece.strip() for piece in written.split(","))):
        name, is_there, value = pair.partition("=")
        name, value = name.strip().lower(), unquote(value.strip())
        if not is_there or not name or not (name + value).isascii() or not (name + value).isprintable():
            raise InvalidInput(
                "A header is not written as name=value.", hint="Write several with commas: authorization=Bearer%20KEY."
            )
        found[name] = value
    return found
