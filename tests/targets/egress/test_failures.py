"""What the system says becomes a sentence that names the provider; the base URL is told inside alone."""

from __future__ import annotations

import socket
import ssl

import pytest

from noria.core.errors import CallCut, CallTimeout
from noria.targets.egress.failures import Callee, NoAddress, broken, unanswered
from noria.targets.egress.reading import BadResponse


def every(root: type[BaseException]) -> list[type[BaseException]]:
    return [root, *(kind for inner in root.__subclasses__() for kind in every(inner))]


LAB = Callee("provider `lab`", "https://h/v1")
SOCKETS = [kind for kind in every(OSError) if kind.__module__ in {"builtins", "socket", "ssl"}]


@pytest.mark.parametrize("kind", [*SOCKETS, UnicodeError, BadResponse], ids=lambda kind: kind.__name__)
def test_every_error_of_a_socket_is_mapped(kind: type[BaseException]) -> None:
    error = kind.__new__(kind)
    for failure in (unanswered(error, LAB), broken(error, LAB)):
        assert "rovider `lab`" in failure.message
        assert "https://h/v1" not in str(failure)
        assert failure.inside.startswith("Called at https://h/v1")
    assert isinstance(broken(error, LAB), CallCut | CallTimeout)


def test_each_has_its_own_sentence() -> None:
    def said(error: BaseException | None) -> tuple[str, bool]:
        found = unanswered(error, LAB)
        return found.message, found.retryable

    assert said(socket.gaierror(-2, "x")) == ("The host of provider `lab` has no address.", True)
    assert said(ConnectionRefusedError(111, "Connection refused")) == (
        "Nothing answers at the address of provider `lab`: Connection refused.",
        True,
    )
    assert said(ssl.SSLError(1, "wrong version number")) == (
        "No trusted TLS connection to provider `lab`: wrong version number.",
        False,
    )
    assert said(TimeoutError()) == ("Provider `lab` could not be connected to in time.", True)
    assert said(None) == ("Provider `lab` closed the connection without an answer.", True)
    assert said(BadResponse("x")) == ("What answers for provider `lab` does not speak HTTP as it should.", False)


def test_addresses_in_the_systems_words_are_for_the_operator_alone() -> None:
    refused = unanswered(OSError(111, "Connect call failed ('10.0.0.7', 8000)"), LAB)
    unsure = ssl.SSLCertVerificationError(1, "")
    unsure.verify_message = "Hostname mismatch, certificate is not valid for 'vllm.internal'."
    mismatch, metadata = unanswered(unsure, LAB), unanswered(NoAddress("10.0.0.7", "not public"), LAB)
    told = f"{refused} {mismatch} {metadata}"
    assert "Hostname mismatch." in told
    assert "its address is not public" in told
    assert not {"10.0.0.7", "vllm.internal"} & set(told.replace("'", " ").split())
    assert "vllm.internal" in mismatch.with_inside
    assert metadata.with_inside.endswith("Called at https://h/v1, which is 10.0.0.7.")
