"""Monitors: attached, detached, and kept as working scorers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

import structlog

from noria.assemble.clock import now
from noria.core.audit import SYSTEM
from noria.core.errors import InvalidInput, NoriaError
from noria.core.messages import BlobPart
from noria.core.monitors import Monitor
from noria.core.scores import Score, Scorer, ScorerSpec
from noria.core.spans import Span
from noria.monitor import LiveMonitors, refuse_needs
from noria.stores.catalogue import Catalogue

_REMEMBERED = 100_000
"""Calls from elsewhere that are known to have been offered."""

_log = structlog.get_logger(__name__)


class Monitoring:
    """The catalogue's monitors, and the live scoring that follows them.

    Arguments:
        catalogue: where monitors and apps are.
        make_scorer: a scorer from what names it.
        record: makes scores durable.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        make_scorer: Callable[[ScorerSpec], Scorer],
        record: Callable[[Sequence[Score]], Awaitable[None]],
    ) -> None:
        self._catalogue = catalogue
        self._make_scorer = make_scorer
        self._attached: dict[str, list[tuple[Monitor, Scorer]]] = {}
        self._as_of = -1
        self._watched: frozenset[str] = frozenset()
        self._watched_as_of = -1
        self._offered: dict[tuple[str, str], None] = {}  # the latest, oldest first
        self.live = LiveMonitors(self.attached, record, now)
        """Scores calls in the background."""

    def attach(self, name: str, *, app: str, scorer: ScorerSpec, rate: float, by: str) -> Monitor:
        """Attach a scorer to an app's calls.

        Raises:
            InvalidInput: the rate is no part, or the scorer needs what live calls don't have.
            UnknownName: no such app or kind of scorer.
        """
        if not 0 <= rate <= 1:
            raise InvalidInput(f"The rate is {rate}; it must be from 0 to 1.")
        self._catalogue.apps.get(app)
        refuse_needs(self._make_scorer(scorer))
        return self._catalogue.monitors.put(
            Monitor(name=name, app=app, scorer=scorer, rate=rate, created_ns=now(), created_by=by)
        )

    def detach(self, name: str, *, by: str = SYSTEM) -> Monitor:
        """Detach it; its scores stay. Raises ``UnknownName``."""
        return self._catalogue.monitors.remove(name, by=by)

    def offer(self, spans: Iterable[Span]) -> None:
        """Have calls judged that were recorded elsewhere and came over OTLP; returns at once.

        Calls of a model that answered something, of apps with a monitor. One that is sent again is not judged again, as
        far back as this process remembers; one whose answer was so large that it went to the blobs is not judged at all.
        """
        watched = self._watched_apps()
        if not watched:
            return
        for span in spans:
            if span.lineage.app not in watched or span.operation != "chat" or not span.output:
                continue
            key = (span.trace_id, span.span_id)
            if key not in self._offered and not _moved_out(span):
                self._offered[key] = None
                if len(self._offered) > _REMEMBERED:
                    del self._offered[next(iter(self._offered))]
                self.live.observe(span)

    def _watched_apps(self) -> frozenset[str]:
        """Apps with a monitor, read again only when the catalogue has changed; as they were where it does not answer."""
        changes = self._catalogue.changes
        if changes != self._watched_as_of:
            try:
                self._watched = frozenset(monitor.app for monitor in self._catalogue.monitors.list())
            except NoriaError as error:  # the spans are on record; that nobody judges them is no failure of theirs
                _log.warning("monitor.apps_not_read", error=str(error))
            else:
                self._watched_as_of = changes
        return self._watched

    def attached(self, app: str) -> Sequence[tuple[Monitor, Scorer]]:
        """An app's monitors with their scorers, read again only when the catalogue has changed."""
        changes = self._catalogue.changes
        if changes != self._as_of:
            self._attached, self._as_of = {}, changes
        if app not in self._attached:
            self._attached[app] = list(self._working(self._catalogue.monitors.list(app)))
        return self._attached[app]

    def _working(self, monitors: Iterable[Monitor]) -> Iterator[tuple[Monitor, Scorer]]:
        """Those whose scorer can still be made: a plug-in that is gone must not silence the app's other monitors."""
        for monitor in monitors:
            try:
                yield monitor, self._make_scorer(monitor.scorer)
            except InvalidInput as error:
                _log.error("monitor.cannot_work", monitor=monitor.name, error=str(error))


def _moved_out(span: Span) -> bool:
    """Whether a scorer would not see all of the answer."""
    contents = (message.content for message in span.output if not isinstance(message.content, str))
    return any(isinstance(part, BlobPart) for content in contents for part in content)
