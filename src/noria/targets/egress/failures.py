"""What the system's errors mean: mapped once, here, where they enter.

``shown`` is the base URL without user, password and query, so it can stand in a sentence.
"""

from __future__ import annotations

import socket
import ssl

from noria.core.errors import CallCut, CallFailed, CallTimeout, Unreachable
from noria.targets.egress.reading import BadResponse


class NoAddress(OSError):
    """A host may not be called at any of its addresses."""


def unanswered(error: BaseException | None, *, provider: str, shown: str) -> CallFailed:
    """What it means that no answer began; without an error the connection just ended."""
    hint = f"Check that the server of provider `{provider}` runs and that its base URL is right."
    retryable = True
    match error:
        case NoAddress():
            return CallFailed(
                f"{shown} may not be called: {error}.",
                kept="Nothing was sent.",
                hint=f"If that is meant, set `private = true` for provider `{provider}` in noria.toml.",
            )
        case TimeoutError():
            return CallTimeout(f"{shown} could not be connected to in time.", hint=hint)
        case socket.gaierror() | UnicodeError():
            return Unreachable(f"The host of {shown} has no address.", retryable=True, hint=hint)
        case ssl.SSLError() | ssl.CertificateError():
            message, retryable = f"No trusted TLS connection to {shown}: {_reason(error)}.", False
            hint = "Check its certificate, and whether the base URL should begin with http."
        case BadResponse():
            message, retryable = f"What answers at {shown} does not speak HTTP as it should.", False
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError() | None:
            message = f"{shown} closed the connection without an answer."
        case OSError():
            return Unreachable(f"Nothing answers at {shown}: {_reason(error)}.", retryable=True, hint=hint)
        case _:
            message = f"The call to {shown} failed ({type(error).__name__})."
    return CallFailed(message, retryable=retryable, hint=hint)


def broken(error: BaseException | None, *, shown: str) -> CallFailed:
    """What it means that an answer began and did not end."""
    if isinstance(error, TimeoutError):
        return CallTimeout(f"{shown} stopped sending in the middle of its reply.")
    if isinstance(error, BadResponse):
        return CallCut(f"{shown} sent bytes in the middle of its reply that are no HTTP.")
    return CallCut(f"{shown} closed the connection in the middle of its reply.")


def _reason(error: BaseException) -> str:
    """The system's word for it, without addresses."""
    said = getattr(error, "verify_message", "") or getattr(error, "strerror", None) or type(error).__name__
    return str(said).rstrip(".")
