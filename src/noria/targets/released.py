"""A release as a target: it decides which variant answers, and keeps to it for each user."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from itertools import accumulate

from noria.core.answering import Answering, Tell, answer
from noria.core.errors import InvalidInput
from noria.core.events import Event
from noria.core.protocols import Target
from noria.core.requests import Request, replace_lineage, request_id


class Released:
    """A target that splits an app's traffic between targets.

    Arguments:
        app: the app's name, stamped on every request.
        shares: each target with its weight, more than 0; parts of the sum of all.
        release_id: stamped too. It is part of the hash, so each release deals its users anew: whoever got the
            experimental variant last time is not the one who always does.
    """

    def __init__(self, app: str, shares: Sequence[tuple[Target, float]], release_id: str) -> None:
        if not shares or not all(weight > 0 and math.isfinite(weight) for _, weight in shares):
            raise InvalidInput(f"The release of `{app}` needs at least one variant, and weights of more than 0.")
        self._app = app
        self._targets = [target for target, _ in shares]
        self._bounds = list(accumulate(weight for _, weight in shares))
        self._release_id = release_id

    def call(self, request: Request) -> AsyncIterator[Event]:
        """Choose, then call on: nothing stands between the caller and the target."""
        request = self._stamped(request)
        return self._targets[self._chosen(request)].call(request)

    def answer(self, request: Request, tell: Tell) -> Answering:
        """The same, told."""
        request = self._stamped(request)
        return answer(self._targets[self._chosen(request)], request, tell)

    def _stamped(self, request: Request) -> Request:
        return replace_lineage(request, app=self._app, release_id=self._release_id)

    def _chosen(self, request: Request) -> int:
        point = fraction(self._release_id, sticky_key(request)) * self._bounds[-1]
        return min(bisect_right(self._bounds, point), len(self._targets) - 1)


def sticky_key(request: Request) -> str:
    """Whose choice is kept: the user's, else the session's, else the trace's, else that of the same request."""
    lineage = request.lineage
    if lineage.user_id is not None:
        return f"user:{lineage.user_id}"
    if lineage.session_id is not None:
        return f"session:{lineage.session_id}"
    return f"trace:{request.trace.trace_id}" if request.trace else request_id(request)


def fraction(release_id: str, key: str) -> float:
    """A number in [0, 1), evenly spread over keys: the first 53 bits of SHA-256 over both."""
    digest = hashlib.sha256(f"{release_id}\0{key}".encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53
