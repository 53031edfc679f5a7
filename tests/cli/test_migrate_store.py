"""Traces moved from the embedded store to ClickHouse's engine and back, by the command."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

from noria_cli import Noria

from noria.core.questions import Question
from noria.core.scores import Score
from noria.core.spans import Span
from noria.stores.traces.duckdb import DuckDBTraces

NOON = 1_795_435_200 * 10**9


def span(number: int) -> Span:
    start = NOON + number * 10**9
    attributes = {"big": 2**70, "n": number}
    return Span(
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        name="é\n",
        start_ns=start,
        end_ns=start + 1,
        attributes=attributes,
    )


def score(number: int) -> Score:
    return Score(
        scorer="exact",
        version="1",
        value=number % 2 == 0,
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        time_ns=NOON,
    )


async def fill(folder: Path, spans: list[Span], scores: list[Score]) -> None:
    store = await DuckDBTraces.open(folder / "traces.duckdb", folder / "spool")
    await store.append(spans, scores)
    await store.close()


async def content(folder: Path) -> tuple[list[Span], list[Score]]:
    store = await DuckDBTraces.open(folder / "traces.duckdb", folder / "spool")
    found = await store.spans(Question(limit=None)), await store.scores(Question(source="scores", limit=None))
    await store.close()
    return found


def test_there_and_back_again(noria: Noria, tmp_path: Path) -> None:
    old, middle, new = tmp_path / "old", f"chdb://{tmp_path}/chdb?fsync=0", tmp_path / "new"
    spans, scores = [span(i) for i in range(3000)], [score(i) for i in range(10)]
    old.mkdir()
    asyncio.run(fill(old, spans, scores))
    with noria.start("migrate-store", old, middle, measured=False) as killed:
        note = next(iter(old.glob("move-*.json")), None)
        while note is None and killed.poll() is None:
            note = next(iter(old.glob("move-*.json")), None)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    done = noria.run("migrate-store", old, middle, "--json", measured=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["spans"], told["scores"], list(told["days"])) == (3000, 10, ["2026-11-23"])
    other = tmp_path / "other"
    other.mkdir()
    asyncio.run(fill(other, [span(1)], []))
    refused = noria.run("migrate-store", other, middle, measured=False)
    assert refused.returncode == 2
    assert "holds 3,010 records already" in refused.stderr
    done = noria.run("migrate-store", middle, new, measured=False)
    assert done.returncode == 0, done.stderr
    assert "3,000 spans and 10 scores of 1 days" in done.stdout
    found_spans, found_scores = asyncio.run(content(new))
    assert sorted(found_spans, key=lambda item: item.start_ns) == spans
    assert sorted(found_scores, key=lambda item: item.span_id) == scores


def test_nonsense_is_refused_with_a_sentence(noria: Noria, tmp_path: Path) -> None:
    for source, target, words in (
        ("nowhere", "new", "There are no traces in"),
        ("one", "one", "same store"),
        ("one", "mysql://x", "can't live at mysql://"),
        ("one", "clickhouse://h/x?cluster='", "can't be called"),
    ):
        (tmp_path / "one").mkdir(exist_ok=True)
        (tmp_path / "one" / "traces.duckdb").touch()
        place = [str(tmp_path / name) if "://" not in name else name for name in (source, target)]
        refused = noria.here("migrate-store", *place)
        assert refused.exit_code == 2
        assert words in refused.stderr
