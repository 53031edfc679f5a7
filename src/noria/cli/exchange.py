"""``noria traces export`` and ``import``: the record as files."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import click

from noria.assemble.record.exchange import Taken, lines_of
from noria.assemble.record.trace_files import FORMATS, OutFormat, Records, Survey, opened_import, out_format, whole_file
from noria.cli.api import Api
from noria.cli.command import Console, Show, need_folder, with_api
from noria.cli.groups import examples
from noria.cli.times import moment
from noria.core.errors import Cancelled, InvalidInput
from noria.core.struct import Noun
from noria.serve.shapes import PutRecords, RecordsPage


class Exported(Noun):
    """What ``noria traces export --json`` says."""

    path: str
    """The file; ``-`` for standard output."""
    format: str
    """``jsonl`` or ``parquet``."""
    spans: int
    """Spans that were written."""
    scores: int
    """Scores on them."""
    bytes: int | None = None
    """Size of the file; None for standard output."""


class Imported(Noun):
    """What ``noria traces import --json`` says."""

    survey: Survey
    """What the files hold."""
    taken: Taken
    """What was stored; nothing in a dry run."""
    dry_run: bool
    """Whether it was only looked at."""


@click.command(
    "export",
    epilog=examples(
        "noria traces export traces.jsonl",
        "noria traces export last-week.parquet --since 7d --app triage",
        "noria traces export - --since 1h | jq .request_model",
    ),
)
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--format", "format_", type=click.Choice(["jsonl", "parquet"]), help="By default what the name ends in.")
@click.option(
    "--since", metavar="TIME", help="Only spans that started then or later: 2h, 7d, 2026-11-25, 2026-11-25T08:00Z."
)
@click.option("--until", metavar="TIME", help="Only spans that started before.")
@click.option("--app", help="Only spans of this app.")
@click.option("--with-blobs", is_flag=True, help="Put large contents back in, which are otherwise references.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@with_api(reads_only=True)
async def export_traces(
    api: Api,
    show: Show,
    out: Path,
    format_: OutFormat | None,
    since: str | None,
    until: str | None,
    app: str | None,
    with_blobs: bool,
    overwrite: bool,
) -> None:
    """Write the record, or a part of it, to a file: JSON lines or Parquet, one row a span, with its scores.

    The file is there whole or not at all. OUT is - for JSON lines on standard output. docs/export.md tells the columns.
    """
    need_folder(api)
    selection = {"since_ns": moment("--since", since), "until_ns": moment("--until", until), "app": app}
    selection["with_blobs"] = with_blobs
    if str(out) == "-":
        await _to_stdout(api, selection)
        return
    format = format_ or out_format(out)
    spans = scores = 0
    try:
        with whole_file(out, format, overwrite=overwrite) as write, counter(show, "exporting") as count:
            async for records, _ in pages(api, selection):
                await asyncio.to_thread(write, records)
                spans, scores = spans + len(records.spans), scores + len(records.scores)
                count(spans)
    except asyncio.CancelledError:
        raise Cancelled(f"Stopped after {spans:,} spans.", kept=f"{out} was not written.") from None
    size = await asyncio.to_thread(lambda: out.stat().st_size)
    done = Exported(path=str(out), format=format, spans=spans, scores=scores, bytes=size)
    show(done, lambda console: console.print(f"{out}: {spans:,} spans with {scores:,} scores, {size:,} bytes."))


async def _to_stdout(api: Api, selection: dict[str, Any]) -> None:
    async for records, _ in pages(api, selection):
        for line in lines_of(records):
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


async def pages(api: Api, selection: dict[str, Any], after: str | None = None) -> AsyncIterator[tuple[Records, str]]:
    """The walk from a cursor to its end, each page with the cursor behind it.

    The next is asked for when the one before is done with, so that memory stays small.
    """
    more = True
    while more:
        page = await api.get("/api/traces/export/page", RecordsPage, **selection, after=after)
        yield Records(page.spans, page.scores), page.cursor
        after, more = page.cursor, page.more


@click.command(
    "import",
    epilog=examples(
        "noria traces import traces.jsonl",
        "noria traces import spans.parquet annotations.jsonl --app triage",
        "noria traces import export.json --dry-run",
    ),
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "format_", type=click.Choice(FORMATS), help="By default told by the content.")
@click.option("--app", help="App of the spans that name none.")
@click.option("--dry-run", is_flag=True, help="Only look: count what is there, name what is wrong, write nothing.")
@click.option("--skip-bad", is_flag=True, help="Leave rows out that can't be used, instead of writing nothing.")
@with_api(reads_only="dry_run")
async def import_traces(
    api: Api,
    show: Show,
    files: tuple[Path, ...],
    format_: str | None,
    app: str | None,
    dry_run: bool,
    skip_bad: bool,
) -> None:
    """Import spans and scores from files: Noria's own, or another system's export.

    The format is told by the content. Importing the same files again changes nothing, so an import that was interrupted
    is finished by the same command. Files that belong together go into one command.
    """
    source = opened_import(files, format=format_, app=app)
    survey = await asyncio.to_thread(source.survey)
    for problem in survey.problems:
        show.note(problem)
    if survey.bad > len(survey.problems):
        show.note(f"... and {survey.bad - len(survey.problems):,} more.")
    if survey.bad and not (skip_bad or dry_run):
        raise InvalidInput(
            f"{survey.bad:,} of {survey.rows:,} rows can't be used; the first: {survey.problems[0]}",
            kept="Nothing was written.",
            hint="Correct them, or give --skip-bad to import the rest.",
        )
    taken = Taken()
    if not dry_run:
        taken = await _send(api, show, source.batches())
    result = Imported(survey=survey, taken=taken, dry_run=dry_run)
    show(result, lambda console: _draw(console, result))


async def _send(api: Api, show: Show, batches: Iterator[Records]) -> Taken:
    total = Taken()
    try:
        with counter(show, "importing") as count:
            while records := await asyncio.to_thread(next, batches, None):
                taken = await api.post(
                    "/api/traces/import", Taken, PutRecords(spans=records.spans, scores=records.scores)
                )
                total = Taken(
                    spans=total.spans + taken.spans,
                    scores=total.scores + taken.scores,
                    repeated=total.repeated + taken.repeated,
                    homeless=total.homeless + taken.homeless,
                )
                count(total.spans)
    except asyncio.CancelledError:
        raise Cancelled(
            "The import was interrupted.",
            kept=f"{total.spans:,} spans and {total.scores:,} scores are stored.",
            hint="The same command goes on; what is there is not stored twice.",
        ) from None
    return total


def _draw(console: Console, result: Imported) -> None:
    survey, taken = result.survey, result.taken
    for path, format in survey.formats.items():
        console.print(f"{path}: {format}")
    bad = f", {survey.bad:,} rows can't be used" if survey.bad else ""
    if result.dry_run:
        console.print(f"{survey.spans:,} spans and {survey.scores:,} scores to import{bad}. Nothing was written.")
        return
    more = f"; {taken.repeated:,} scores were there already" if taken.repeated else ""
    more += f"; {taken.homeless:,} scores are on spans that nobody has" if taken.homeless else ""
    console.print(f"{taken.spans:,} spans and {taken.scores:,} scores are stored{more}{bad}.")


@contextlib.contextmanager
def counter(show: Show, doing: str) -> Iterator[Any]:
    """A count on standard error while somebody watches."""
    from rich.progress import SpinnerColumn, TextColumn  # noqa: PLC0415  # `--json` need not pay

    with show.console.bar(SpinnerColumn(), TextColumn("{task.description}"), hidden=show.as_json) as bar:
        task = bar.add_task(doing)
        yield lambda spans: bar.update(task, description=f"{doing}: {spans:,} spans")
