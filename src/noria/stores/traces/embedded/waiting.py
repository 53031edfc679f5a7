"""What is durable in the spool and not taken yet, also kept in memory: a question about one trace need not wait for it.

Taking what has just come costs 20 to 40 ms however little it is, most of it DuckDB's planning. One trace's few spans are
sooner found among the bytes of the last second.

It holds nothing that an earlier process left, and forgets everything when it becomes too much; then what waits has to be
taken first.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import msgspec

from noria.core.scores import Score
from noria.core.spans import Span
from noria.stores.segments import Position
from noria.stores.traces.rows import unpack

_MOST_BYTES = 8 << 20
_SPAN = msgspec.json.Decoder(Span)
_SCORE = msgspec.json.Decoder(Score)


class Appended(NamedTuple):
    """One append."""

    end: Position
    """Behind it in the spool."""
    payload: bytes
    """As it is there."""


class Waiting:
    """The last appends.

    Arguments:
        start: everything that is durable behind it is here.
    """

    def __init__(self, start: Position) -> None:
        self._start = start
        self._appends: deque[Appended] = deque()
        self._bytes = 0

    def add(self, appended: Appended) -> None:
        """Something is durable."""
        self._appends.append(appended)
        self._bytes += len(appended.payload)
        if self._bytes > _MOST_BYTES:
            self._start = max(self._start, *(item.end for item in self._appends))
            self._appends.clear()
            self._bytes = 0

    def forget(self, taken: Position) -> None:
        """Everything before ``taken`` is taken."""
        while self._appends and self._appends[0].end <= taken:
            self._bytes -= len(self._appends.popleft().payload)

    def behind(self, taken: Position) -> list[Appended] | None:
        """Everything durable behind ``taken``; None where not all of it is here."""
        return None if taken < self._start else [item for item in self._appends if item.end > taken]


def of_trace(appends: list[Appended], trace_id: str) -> tuple[list[Span], list[Score]]:
    """The spans and scores of one trace, in order of arrival; of a span that came again, all copies."""
    spans: list[Span] = []
    scores: list[Score] = []
    sought = msgspec.json.encode(trace_id)  # as it is in the lines, quotes and escapes included
    for _, payload in appends:
        if sought not in payload:
            continue
        lines = unpack(payload)
        spans += [_SPAN.decode(line) for line in lines.spans.split(b"\n") if sought in line]
        scores += [_SCORE.decode(line) for line in lines.scores.split(b"\n") if sought in line]
    return [span for span in spans if span.trace_id == trace_id], [item for item in scores if item.trace_id == trace_id]
