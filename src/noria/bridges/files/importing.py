"""Files of any known format into batches of records, in two passes: look at everything, then read it again to write.

So nothing is written where something is wrong, whatever the size of the files, and what one file says about the rows
of another (a trace's user, in a file of traces) is known in time. Knows no store: batches go to whoever asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from noria.bridges.files.records import Records
from noria.bridges.files.rows import Bad, ReadRows, Row, read
from noria.core.errors import InvalidInput
from noria.core.scores import Score
from noria.core.spans import Span
from noria.core.struct import Noun

BATCH = 500
"""Most spans of a batch."""
BATCH_BYTES = 4 << 20
"""A batch ends when its records have so many bytes of JSON."""
_SHOWN = 20
"""Bad rows that are told one by one."""
_LARGEST = 2**63 - 1


class Importer(Protocol):
    """One system's export format. It lives as long as one import, and may remember what it has surveyed."""

    @property
    def name(self) -> str:
        """Its name on the command line."""
        ...

    def knows(self, values: Any) -> bool:
        """Whether this looks like a row of its format."""
        ...

    def survey(self, values: Any) -> None:
        """First pass: remember what other rows will need."""
        ...

    def records(self, values: Any) -> Records:
        """Second pass: what the row says. Raises ``InvalidInput``; the sentence begins after the row's place."""
        ...


class Survey(Noun):
    """What the files hold."""

    formats: dict[str, str]
    """File -> format."""
    rows: int = 0
    """Rows, lines or elements that were read."""
    spans: int = 0
    """Spans in the good ones."""
    scores: int = 0
    """Scores in the good ones."""
    bad: int = 0
    """Rows that can't be used."""
    problems: tuple[str, ...] = ()
    """The first of these, each with its place and what is wrong."""


class Import:
    """Some files that belong together.

    Arguments:
        paths: the files.
        importers: every known format, in the order in which they are asked whether they know a row.
        read_rows: reads lines, CSV and Parquet.
        format: one format's name, where the content shall not decide.
        app: the app of spans that name none.

    Raises:
        InvalidInput: there is no such format.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        importers: Sequence[Importer],
        read_rows: ReadRows,
        *,
        format: str | None = None,
        app: str | None = None,
    ) -> None:
        self._paths = paths
        self._importers = [one for one in importers if format is None or one.name == format]
        if not self._importers:
            known = ", ".join(one.name for one in importers)
            raise InvalidInput(f"There is no format {format!r}.", hint=f"Formats are {known}.")
        self._forced = format is not None
        self._read_rows = read_rows
        self._app = app

    def survey(self) -> Survey:
        """Read everything once and count; write nothing.

        Raises:
            InvalidInput: a file can't be read at all, or nothing in it is of a known format.
        """
        formats: dict[str, str] = {}
        rows = spans = scores = bad = 0
        problems: list[str] = []
        for path in self._paths:
            for importer, row in self._rows(path):
                rows += 1
                formats[str(path)] = importer.name
                if not isinstance(row, Bad):
                    importer.survey(row.values)
                found = row if isinstance(row, Bad) else self._records(importer, row)
                if isinstance(found, Bad):
                    bad += 1
                    problems.extend([found.message] if len(problems) < _SHOWN else [])
                else:
                    spans, scores = spans + len(found.spans), scores + len(found.scores)
        return Survey(formats=formats, rows=rows, spans=spans, scores=scores, bad=bad, problems=tuple(problems))

    def batches(self) -> Iterator[Records]:
        """The records of all good rows, after :meth:`survey`.

        Scores that name their span without its trace come last, when all spans are where they can be looked up.
        """
        late: list[Score] = []
        spans: list[Span] = []
        scores: list[Score] = []
        size = 0
        for path in self._paths:
            for importer, row in self._rows(path):
                found = row if isinstance(row, Bad) else self._records(importer, row)
                if isinstance(found, Bad):
                    continue
                spans += found.spans
                for score in found.scores:
                    (scores if score.trace_id else late).append(score)
                size += sum(len(msgspec.json.encode(span)) for span in found.spans)
                if len(spans) + len(scores) >= BATCH or size >= BATCH_BYTES:
                    yield Records(tuple(spans), tuple(scores))
                    spans, scores, size = [], [], 0
        if spans or scores:
            yield Records(tuple(spans), tuple(scores))
        for start in range(0, len(late), BATCH):
            yield Records(scores=tuple(late[start : start + BATCH]))

    def _rows(self, path: Path) -> Iterator[tuple[Importer, Row | Bad]]:
        """A file's rows with the importer that its first good one belongs to."""
        importer: Importer | None = self._importers[0] if self._forced else None
        early: list[Bad] = []
        for row in read(path, self._read_rows):
            if importer is None:
                if isinstance(row, Bad):
                    early.append(row)
                    continue
                importer = self._importer_of(row)
                yield from ((importer, bad) for bad in early)
            yield importer, row
        if importer is None:
            why = early[0].message if early else f"{path.name} is empty."
            raise InvalidInput(f"Nothing in {path} can be imported: {why}", kept="Nothing was written.")

    def _importer_of(self, row: Row) -> Importer:
        for importer in self._importers:
            if importer.knows(row.values):
                return importer
        known = ", ".join(one.name for one in self._importers)
        seen = ", ".join(list(row.values)[:8]) if isinstance(row.values, dict) else "bytes that are no protobuf of OTLP"
        raise InvalidInput(
            f"{row.place} is of no known format ({known}); it has {seen}.",
            kept="Nothing was written.",
            hint="Give --format if you know better.",
        )

    def _records(self, importer: Importer, row: Row) -> Records | Bad:
        try:
            found = importer.records(row.values)
            records = Records(tuple(self._named(span) for span in found.spans), found.scores)
            check(records)
        except InvalidInput as error:
            return Bad(row.line, f"{row.place}: {error.message}")
        return records

    def _named(self, span: Span) -> Span:
        if self._app is None or span.lineage.app:
            return span
        return msgspec.structs.replace(span, lineage=msgspec.structs.replace(span.lineage, app=self._app))


def check(records: Records) -> None:
    """Refuse what no store can keep, before anything is sent to one.

    Raises:
        InvalidInput: an id, a time or a count is impossible.
    """
    for span in records.spans:
        check_id("trace_id", span.trace_id, 32)
        check_id("span_id", span.span_id, 16)
        for name in ("start_ns", "end_ns", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"):
            _check_integer(name, getattr(span, name))
        _check_integer("repeat", span.lineage.repeat)
        if span.end_ns < span.start_ns:
            raise InvalidInput("the span ends before it starts.")
    for score in records.scores:
        if score.trace_id:
            check_id("trace_id", score.trace_id, 32)
        if score.span_id or not score.trace_id:
            check_id("span_id", score.span_id, 16)
        if not score.scorer:
            raise InvalidInput("a score has no name.")
        _check_integer("time_ns", score.time_ns)
        _check_integer("repeat", score.repeat)
        if isinstance(score.value, int) and not -_LARGEST <= score.value <= _LARGEST:
            raise InvalidInput("a score's value is beyond 2^63.")


def check_id(name: str, value: str, digits: int) -> None:
    """Refuse what is no id of so many hex digits, or none but zeros. Raises ``InvalidInput``."""
    if len(value) != digits or set(value) - set("0123456789abcdef") or set(value) == {"0"}:
        raise InvalidInput(f"{name} is {value[:40]!r}; {digits} hex digits, not all zero, are wanted.")


def _check_integer(name: str, value: int | None) -> None:
    if value is not None and not 0 <= value <= _LARGEST:
        raise InvalidInput(f"{name} is {value if abs(value) < 10**30 else 'enormous'}; it must be from 0 to 2^63 - 1.")
