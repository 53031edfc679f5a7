"""How far an experiment is, counted as it goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from noria.core.protocols import Clock
from noria.core.results import Progress
from noria.core.spans import Span

_WINDOW = 100


class Tally:
    """Counts answers and reports after each of them."""

    def __init__(self, report: Callable[[Progress], None], now: Clock, *, total: int) -> None:
        self._report = report
        self._now = now
        self._total = total
        self._run = ""
        self._done = self._errors = self._cached = self._resumed = 0
        self._times: deque[int] = deque(maxlen=_WINDOW)

    def begin(self, run: str) -> None:
        """The next variant's turn."""
        self._run = run
        self._tell()

    def answered(self, span: Span) -> None:
        """One more call came back."""
        self._times.append(self._now())
        self._count(span)

    def resumed(self, span: Span) -> None:
        """One more answer of an earlier start was taken over."""
        self._resumed += 1
        self._count(span)

    def _count(self, span: Span) -> None:
        self._done += 1
        self._errors += span.status != "ok"
        self._cached += span.cached
        self._tell()

    def _tell(self) -> None:
        self._report(
            Progress(
                run=self._run,
                done=self._done,
                total=self._total,
                errors=self._errors,
                cached=self._cached,
                resumed=self._resumed,
                rate=self._rate(),
            )
        )

    def _rate(self) -> float | None:
        """Answers a second over the last hundred; None while there is too little to tell."""
        if len(self._times) < 2 or self._times[-1] <= self._times[0]:
            return None
        return (len(self._times) - 1) * 1e9 / (self._times[-1] - self._times[0])
