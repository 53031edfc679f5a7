"""What workers have counted, added to what this process has: one ``/metrics`` for all of them.

A worker tells every second, so its numbers are at most a second old. Of one that is gone its sums stay, as they were when it
told them last.
"""

from __future__ import annotations

from collections.abc import Mapping

from noria.assemble.gateway.measuring import CallMetrics, CallNumbers
from noria.assemble.gateway.sum import Stood
from noria.core.struct import Noun

_BUSY = frozenset({"noria_calls_running", "noria_calls_waiting", "noria_provider_calls_running", "noria_breakers_open"})
"""What is so now and adds up over processes. Other numbers that are no sums are of what all of them share."""


class Told(Noun):
    """What one worker says."""

    worker: int
    """Which one."""
    process: str
    """Another text for each process that has been that worker."""
    numbers: dict[str, float]
    """By name, as for ``/metrics``."""
    calls: CallNumbers
    """What its calls were like."""
    stood: Stood
    """How its providers and places stand."""


class ToldByWorkers:
    """The latest of each worker, and the sums of those that are gone."""

    def __init__(self) -> None:
        self._latest: dict[int, Told] = {}
        self._gone: list[CallNumbers] = []
        self._gone_sums: dict[str, float] = {}

    def take(self, told: Told) -> None:
        """A worker has told."""
        before = self._latest.get(told.worker)
        if before is not None and before.process != told.process:
            calls = CallMetrics()
            for numbers in (*self._gone, before.calls):
                calls.add(numbers)
            self._gone = [calls.counted()]
            _add(self._gone_sums, before.numbers, busy=False)
        self._latest[told.worker] = told

    def stood(self) -> list[Stood]:
        """How things stand in each of them."""
        return [told.stood for told in self._latest.values()]

    def numbers(self, own: Mapping[str, float]) -> Mapping[str, float]:
        """``own`` numbers with those of all workers."""
        if not self._latest:
            return own
        found = dict(own)
        _add(found, self._gone_sums, busy=False)
        for told in self._latest.values():
            _add(found, told.numbers, busy=True)
        return found

    def calls(self, own: CallMetrics) -> CallMetrics:
        """``own`` distributions with those of all workers."""
        if not self._latest:
            return own
        found = CallMetrics()
        for numbers in (own.counted(), *self._gone, *(told.calls for told in self._latest.values())):
            found.add(numbers)
        return found


def _add(to: dict[str, float], numbers: Mapping[str, float], *, busy: bool) -> None:
    for name, value in numbers.items():
        if name.endswith("_total") or (busy and name in _BUSY):
            to[name] = to.get(name, 0.0) + value
