"""Prompt versions of Noria, fetched once and kept for a while, so that no call of the application waits for them.

A version that has become old is used once more while the next is fetched beside the application; one that has become
very old is fetched anew, and used all the same where Noria does not answer.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput, NoriaError, NotAllowed, Unavailable, UnknownName
from noria.core.prompts import PromptVersion
from noria.sdk.connection import Connection

_VERY_OLD = 10
"""After how many times to live an old version is no longer used unasked."""
_AFTER_FAILURE_S = 5.0
"""Seconds without asking again after Noria did not answer."""


class _Kept(NamedTuple):
    version: PromptVersion
    at: float


class Prompts:
    """Fetches prompt versions. Safe for several threads.

    Arguments:
        connection: to Noria; its own.
        ttl_s: seconds for which a version is used without asking again.
        clock: monotonic seconds.
    """

    def __init__(self, connection: Connection, ttl_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._ttl_s = ttl_s
        self._clock = clock
        self._kept: dict[tuple[str, str | None], _Kept] = {}
        self._refreshing: set[tuple[str, str | None]] = set()
        self._failed_at = -_AFTER_FAILURE_S
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            weak = weakref.WeakMethod(self._after_fork)
            os.register_at_fork(after_in_child=lambda: (method := weak()) and method())

    def _after_fork(self) -> None:
        """In a child: the versions are good here too; the connection, the lock and the threads are the parent's."""
        self._connection.after_fork()
        self._lock = threading.Lock()
        self._refreshing = set()

    def get(self, name: str, ref: str | None) -> PromptVersion:
        """The version that a number, a label or an id points at; without ``ref`` the latest.

        Raises:
            UnknownName: Noria has none.
            NotAllowed: the key is wrong.
            Unavailable: Noria does not answer, and nothing is kept.
        """
        wanted = (name, ref)
        kept = self._kept.get(wanted)
        age = self._clock() - kept.at if kept else 0.0
        if kept and age <= self._ttl_s:
            return kept.version
        if kept and age <= self._ttl_s * _VERY_OLD:
            self._refresh(wanted)
            return kept.version
        try:
            return self._fetch(wanted)
        except Unavailable:
            if kept is None:
                raise
            return kept.version

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()

    def _refresh(self, wanted: tuple[str, str | None]) -> None:
        with self._lock:
            if wanted in self._refreshing or self._clock() - self._failed_at < _AFTER_FAILURE_S:
                return
            self._refreshing.add(wanted)
        threading.Thread(target=self._refreshed, args=(wanted,), name="noria-prompt", daemon=True).start()

    def _refreshed(self, wanted: tuple[str, str | None]) -> None:
        try:
            self._fetch(wanted)
        except NoriaError:
            self._failed_at = self._clock()  # the old one serves on
        finally:
            self._refreshing.discard(wanted)

    def _fetch(self, wanted: tuple[str, str | None]) -> PromptVersion:
        name, ref = wanted
        query = f"?{urlencode({'ref': ref})}" if ref else ""
        answer = self._connection.ask("GET", f"/api/prompts/{quote(name, safe='')}{query}")
        if answer.status != 200:
            raise _error_of(answer.status, answer.body)
        try:
            version = msgspec.json.decode(answer.body, type=PromptVersion)
        except UNREADABLE as error:
            raise Unavailable(f"{self._connection.url} answered with no prompt: {error}.") from error
        self._kept[wanted] = _Kept(version, self._clock())
        return version


def _error_of(status: int, body: bytes) -> NoriaError:
    try:
        fields: Any = msgspec.json.decode(body)["error"]
        message, hint = str(fields["message"]), str(fields.get("hint", ""))
    except (*UNREADABLE, KeyError, TypeError, AttributeError):
        message, hint = f"Noria answered {status}.", ""
    if status == 404:
        return UnknownName(message, hint=hint)
    if status in {401, 403}:
        return NotAllowed(message, status=status, hint="Check NORIA_API_KEY.")
    return InvalidInput(message, hint=hint) if status == 400 else Unavailable(message, hint=hint)
