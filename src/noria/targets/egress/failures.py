"""What the system's errors mean: mapped once, here, where they enter.

Callers are told these sentences, so they name whom was called and no address. That is for whoever runs Noria
(``NoriaError.inside``).
"""

from __future__ import annotations

import os
import socket
import ssl
from typing import NamedTuple, TypeVar

from noria.core.errors import CallCut, CallFailed, CallTimeout, Unreachable
from noria.targets.egress.reading import BadResponse

_Failure = TypeVar("_Failure", bound=CallFailed)


class NoAddress(OSError):
    """A host may not be called at any of its addresses.

    Arguments:
        address: one of them.
        why: what it is that it may not be called, such as ``not public``.
    """

    def __init__(self, address: str = "", why: str = "") -> None:
        super().__init__(f"{address} is {why}")
        self.address = address
        self.why = why


class Callee(NamedTuple):
    """Who is called."""

    name: str
    """For callers: ``provider `lab```."""
    shown: str
    """For whoever runs Noria: the base URL without user, password and query."""

    @property
    def Name(self) -> str:  # noqa: N802  # the name where it begins a sentence
        """The name, to begin a sentence with."""
        return self.name[:1].upper() + self.name[1:]

    def at(self, failure: _Failure, more: str = "") -> _Failure:
        """``failure``, with where it happened and what else its caller need not know."""
        failure.inside = f"Called at {self.shown}{more}."
        return failure


def unanswered(error: BaseException | None, callee: Callee) -> CallFailed:
    """What it means that no answer began; without an error the connection just ended."""
    hint = f"Check that the server of {callee.name} runs and that its base URL is right."
    retryable, more = True, ""
    match error:
        case NoAddress():
            failure = CallFailed(
                f"{callee.Name} may not be called: its address is {error.why}.",
                kept="Nothing was sent.",
                hint=f"If that is meant, set `private = true` for {callee.name} in noria.toml.",
            )
            return callee.at(failure, f", which is {error.address}")
        case TimeoutError():
            return callee.at(CallTimeout(f"{callee.Name} could not be connected to in time.", hint=hint))
        case socket.gaierror() | UnicodeError():
            return callee.at(Unreachable(f"The host of {callee.name} has no address.", retryable=True, hint=hint))
        case ssl.SSLError() | ssl.CertificateError():
            reason = str(getattr(error, "verify_message", "") or error.strerror or type(error).__name__).rstrip(".")
            known, _, _ = reason.partition(",")  # what follows names the host
            message, retryable, more = f"No trusted TLS connection to {callee.name}: {known}.", False, f": {reason}"
            hint = "Check its certificate, and whether the base URL should begin with http."
        case BadResponse():
            message, retryable = f"What answers for {callee.name} does not speak HTTP as it should.", False
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError() | None:
            message = f"{callee.Name} closed the connection without an answer."
        case OSError():  # its own words hold the address
            reason = os.strerror(error.errno) if error.errno else type(error).__name__
            message = f"Nothing answers at the address of {callee.name}: {reason}."
            return callee.at(Unreachable(message, retryable=True, hint=hint))
        case _:
            message = f"The call to {callee.name} failed ({type(error).__name__})."
    return callee.at(CallFailed(message, retryable=retryable, hint=hint), more)


def broken(error: BaseException | None, callee: Callee) -> CallFailed:
    """What it means that an answer began and did not end."""
    if isinstance(error, TimeoutError):
        return callee.at(CallTimeout(f"{callee.Name} stopped sending in the middle of its reply."))
    if isinstance(error, BadResponse):
        return callee.at(CallCut(f"{callee.Name} sent bytes in the middle of its reply that are no HTTP."))
    return callee.at(CallCut(f"{callee.Name} closed the connection in the middle of its reply."))
