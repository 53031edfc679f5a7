"""What keeping, forgetting and copying the record costs.

    python benchmarks/lifecycle.py [--spans 100000] [--json]

On a folder with so many 2 kB spans and as many scores: a backup, its check, a restore, a dry run of retention, stripping
the texts of a tenth, deleting another tenth, erasing one user of a thousand. Then the catalogue: releases a second, with
their entries in the audit log, and checking the log. CPU is the whole process, all threads.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path

import msgspec
from record_path import made
from report import Report, arguments

from noria.assemble import Workspace, open_workspace
from noria.assemble.clock import now
from noria.assemble.restore import check_backup, restore
from noria.core.apps import Share, Variant
from noria.core.retention import RetentionRule
from noria.core.scores import Score
from noria.settings import Settings

DAY = 86_400 * 10**9


async def timed(report: Report, what: str, many: int, work: Awaitable[object]) -> None:
    """One row: wall and CPU time of the work, and CPU for each of ``many``."""
    wall, cpu = time.perf_counter(), time.process_time()
    await work
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    report.add(what, many, wall, cpu, cpu / many * 1e6)


async def fill(workspace: Workspace, count: int) -> None:
    """Spans of a hundred days and a thousand users, each with a score."""
    chance = random.Random(1)
    for start in range(0, count, 5000):
        spans = []
        for number in range(start, min(start + 5000, count)):
            span = made(number, chance)
            begin = now() - int(chance.random() * 100 * DAY)
            lineage = msgspec.structs.replace(span.lineage, user_id=f"u{number % 1000}")
            spans.append(msgspec.structs.replace(span, start_ns=begin, end_ns=begin + 10**9, lineage=lineage))
        scores = [
            Score(scorer="s", version="1", value=1.0, trace_id=one.trace_id, span_id=one.span_id, time_ns=one.end_ns)
            for one in spans
        ]
        await workspace.traces.append(spans, scores)


async def write(workspace: Workspace, path: Path) -> None:
    with path.open("wb") as file:
        async for piece in workspace.backups.stream(path.name, by="a benchmark"):
            file.write(piece)


async def release(workspace: Workspace, count: int) -> None:
    apps = workspace.catalogue.apps
    apps.put("triage")
    variant = apps.add_variant("triage", "a", Variant(model="up/small"), by="a benchmark")
    for _ in range(count):
        await asyncio.to_thread(apps.release, "triage", [Share(variant_id=variant.variant_id)], by="a benchmark")


async def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--spans", type=int, default=100_000)
    given = parser.parse_args()
    columns = ["what", "of", "wall s", "CPU s", "CPU us each"]
    report = Report("Keeping, forgetting, copying", columns, as_json=given.json)
    with tempfile.TemporaryDirectory(prefix="noria-bench-") as folder:
        settings, file = Settings(data=f"{folder}/data"), Path(folder) / "b.tar"
        async with open_workspace(settings, {}, holder="a benchmark") as workspace:
            await fill(workspace, given.spans)
            await workspace.traces.latest_cursor()
            rules, tenth = workspace.catalogue.retention, given.spans // 10
            await timed(report, "backup", given.spans, write(workspace, file))
            await timed(report, "check", given.spans, asyncio.to_thread(check_backup, file))
            await timed(
                report, "restore", given.spans, restore(file, Settings(data=f"{folder}/again"), by="a benchmark")
            )
            rules.put(RetentionRule(app="*", texts_days=80, spans_days=90))
            await timed(report, "retention, dry run", given.spans, workspace.retention.run(dry_run=True))
            rules.put(RetentionRule(app="*", texts_days=90))
            await timed(report, "strip texts", tenth, workspace.retention.run())
            rules.put(RetentionRule(app="*", spans_days=90))
            await timed(report, "delete spans", tenth, workspace.retention.run())
            await timed(report, "erase a user", given.spans // 1000, workspace.erasures.erase("u7"))
            await timed(report, "releases", 500, release(workspace, 500))
            await timed(report, "audit verify", 500, asyncio.to_thread(workspace.catalogue.audit.verify))
        report.note(f"The backup has {file.stat().st_size / given.spans:.0f} bytes a span with its score.")
    report.end()


if __name__ == "__main__":
    asyncio.run(main())
