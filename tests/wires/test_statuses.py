"""What a provider's status means for whoever called."""

from __future__ import annotations

import pytest

from noria.core.errors import CallRefused
from noria.wires.statuses import failed


@pytest.mark.parametrize(
    ("status", "refused", "retryable"),
    [(400, True, False), (429, True, True), (500, False, True), (501, True, False), (503, False, True)],
)
def test_what_will_not_be_done_at_the_next_try_either_is_refused(status: int, refused: bool, retryable: bool) -> None:
    error = failed(status, {"error": {"message": "No."}})
    assert (isinstance(error, CallRefused), error.retryable) == (refused, retryable)
    assert f"(status {status}): No." in error.message
