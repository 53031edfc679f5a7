"""What the system says becomes a sentence that names the base URL, whatever it is."""

from __future__ import annotations

import socket
import ssl

import pytest

from noria.core.errors import CallCut, CallTimeout
from noria.targets.egress.failures import broken, unanswered
from noria.targets.egress.reading import BadResponse


def every(root: type[BaseException]) -> list[type[BaseException]]:
    return [root, *(kind for inner in root.__subclasses__() for kind in every(inner))]


SOCKETS = [kind for kind in every(OSError) if kind.__module__ in {"builtins", "socket", "ssl"}]


@pytest.mark.parametrize("kind", [*SOCKETS, UnicodeError, BadResponse], ids=lambda kind: kind.__name__)
def test_every_error_of_a_socket_is_mapped(kind: type[BaseException]) -> None:
    error = kind.__new__(kind)
    assert "https://h/v1" in str(unanswered(error, provider="p", shown="https://h/v1"))
    assert isinstance(broken(error, shown="https://h/v1"), CallCut | CallTimeout)


def test_each_has_its_own_sentence() -> None:
    def said(error: BaseException | None) -> tuple[str, bool]:
        found = unanswered(error, provider="p", shown="https://h/v1")
        return found.message, found.retryable

    assert said(socket.gaierror(-2, "x")) == ("The host of https://h/v1 has no address.", True)
    assert said(ConnectionRefusedError(111, "Connection refused")) == (
        "Nothing answers at https://h/v1: Connection refused.",
        True,
    )
    assert said(ssl.SSLError(1, "wrong version number")) == (
        "No trusted TLS connection to https://h/v1: wrong version number.",
        False,
    )
    assert said(TimeoutError()) == ("https://h/v1 could not be connected to in time.", True)
    assert said(None) == ("https://h/v1 closed the connection without an answer.", True)
    assert said(BadResponse("x")) == ("What answers at https://h/v1 does not speak HTTP as it should.", False)
