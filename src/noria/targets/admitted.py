"""A call that could not be recorded is refused before a model is asked, and paid, for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from noria.core.answering import Answering, Tell, answering
from noria.core.errors import NoriaError
from noria.core.events import Event
from noria.core.protocols import Target
from noria.core.requests import Request
from noria.targets.closing import failing


class Admitted:
    """Calls the target inside while ``check`` lets it.

    Arguments:
        inner: the target.
        check: raises ``Unavailable`` when there is no room for a record. It is asked for every call, so it is quick.
    """

    def __init__(self, inner: Target, check: Callable[[], None]) -> None:
        self._inner = inner
        self._answer = answering(inner)
        self._check = check

    def call(self, request: Request) -> AsyncIterator[Event]:
        """Call on: nothing stands between the caller and the target. Raises what ``check`` raises, from the iterator."""
        try:
            self._check()
        except NoriaError as error:
            return failing(error)
        return self._inner.call(request)

    def answer(self, request: Request, tell: Tell) -> Answering:
        """The same, told. Raises at once."""
        self._check()
        return self._answer(request, tell)
