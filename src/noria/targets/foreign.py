"""aiohttp's errors as Noria's: mapped once, here, where they enter."""

from __future__ import annotations

import aiohttp

from noria.core.errors import CallCut, CallFailed, CallTimeout


def unanswered(error: aiohttp.ClientError | OSError, *, provider: str, base_url: str) -> CallFailed:
    """What it means that no answer began. ``base_url`` is shown, so it holds no user name, password or query."""
    hint = f"Check that the server of provider `{provider}` runs and that its base URL is right."
    retryable = True
    match error:
        case aiohttp.ServerTimeoutError():
            return CallTimeout(f"{base_url} could not be connected to in time.", hint=hint)
        case aiohttp.ClientConnectorDNSError():
            message = f"The host of {base_url} has no address."
        case aiohttp.ClientSSLError():
            message, retryable = f"No trusted TLS connection to {base_url}: {_reason(error)}.", False
            hint = "Check its certificate, and whether the base URL should begin with http."
        case aiohttp.ClientConnectorError():
            message = f"Nothing answers at {base_url}: {_reason(error)}."
        case aiohttp.ClientResponseError():
            message, retryable = f"What answers at {base_url} does not speak HTTP as it should.", False
        case aiohttp.InvalidURL():
            message, retryable = f"{base_url} is no URL that can be called.", False
        case aiohttp.ClientConnectionError() | OSError():
            message = f"{base_url} closed the connection without an answer."
        case _:
            message = f"The call to {base_url} failed ({type(error).__name__})."
    return CallFailed(message, retryable=retryable, hint=hint)


def broken(error: aiohttp.ClientError | OSError, *, base_url: str) -> CallFailed:
    """What it means that an answer began and did not end."""
    if isinstance(error, aiohttp.ServerTimeoutError):
        return CallTimeout(f"{base_url} stopped sending in the middle of its reply.")
    return CallCut(f"{base_url} closed the connection in the middle of its reply.")


def _reason(error: BaseException) -> str:
    """The operating system's word for it, without addresses."""
    cause = getattr(error, "os_error", error)
    return (getattr(cause, "strerror", None) or type(cause).__name__).rstrip(".")
