"""A trace store for these tests: records as lines of a file, durable when ``append`` returns, read whole each time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from noria.core.questions import Question, Table
from noria.core.scores import Score
from noria.core.spans import Span


class PaperTraces:
    def __init__(self, path: Path, *, slow_s: float = 0.0) -> None:
        self.path = path
        self.slow_s = slow_s
        self.appends: list[tuple[int, int]] = []
        self.begun = asyncio.Event()
        self.broken: Exception | None = None
        path.touch()

    async def append(self, spans: Sequence[Span] = (), scores: Sequence[Score] = ()) -> None:
        if self.broken is not None:
            raise self.broken
        self.begun.set()
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        lines = [msgspec.json.encode({"span": span}) for span in spans]
        lines += [msgspec.json.encode({"score": score}) for score in scores]
        with self.path.open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        self.appends.append((len(spans), len(scores)))

    def all(self, kind: str) -> list[dict[str, Any]]:
        # The last line of a killed writer may be half a line.
        whole = self.path.read_bytes().rpartition(b"\n")[0]
        records = [msgspec.json.decode(line) for line in whole.splitlines()]
        return [record[kind] for record in records if kind in record]

    async def spans(self, question: Question) -> list[Span]:
        found = [msgspec.convert(record, Span) for record in self.all("span")]
        return _answer(
            question, found, lambda span, column: getattr(span, column, None) or getattr(span.lineage, column)
        )

    async def scores(self, question: Question) -> list[Score]:
        return _answer(question, [msgspec.convert(record, Score) for record in self.all("score")], getattr)

    async def query(self, question: Question) -> Table:
        raise NotImplementedError

    async def trace(self, trace_id: str) -> tuple[list[Span], list[Score]]:
        raise NotImplementedError


def _answer(question: Question, records: list[Any], column: Any) -> list[Any]:
    for condition in question.where:
        wanted = condition.value if condition.op == "in" else [condition.value]
        records = [record for record in records if column(record, condition.column) in wanted]
    for order in reversed(question.order):
        records.sort(key=lambda record: column(record, order.column), reverse=order.descending)
    end = None if question.limit is None else question.offset + question.limit
    return records[question.offset : end]
