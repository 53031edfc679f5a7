"""One target that stands for many: the request's model says which."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from noria.core.answering import Answering, Tell, answering
from noria.core.errors import NoriaError
from noria.core.events import Event
from noria.core.protocols import Target
from noria.core.requests import Request
from noria.targets.closing import failing


class Routed:
    """A target that calls whatever ``resolve`` finds for ``request.model``: an app, or ``provider/model``.

    ``resolve`` raises ``UnknownName`` for a name that is nobody's.
    """

    def __init__(self, resolve: Callable[[str], Target]) -> None:
        self._resolve = resolve

    def call(self, request: Request) -> AsyncIterator[Event]:
        """Call on: nothing stands between the caller and the target. Raises ``UnknownName`` from the iterator."""
        try:
            target = self._resolve(request.model)
        except NoriaError as error:
            return failing(error)
        return target.call(request)

    def answer(self, request: Request, tell: Tell) -> Answering:
        """The same, told. Raises at once."""
        return answering(self._resolve(request.model))(request, tell)
