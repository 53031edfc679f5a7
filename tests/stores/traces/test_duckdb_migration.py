"""A file of every released schema version opens, and keeps every record.

``released/version_1.duckdb.gz`` was written by Noria 0.1.0: spans 0 to 24 (number 3 sent again under another name),
scores on every fifth, and one on the fourth with a text as value.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from trace_records import score, span

from noria.core.errors import Unavailable
from noria.core.messages import Message
from noria.core.questions import Order, Question
from noria.core.requests import Lineage
from noria.stores.traces.duckdb import DuckDBTraces
from noria.stores.traces.embedded import migrate

RELEASED = Path(__file__).parent / "released"
SPANS = [
    span(
        number,
        input=(Message(role="user", content=f"question {number}"),),
        output=(Message(role="assistant", content="é\n\0" * number),),
        attributes={"a.b": number, "noria.replayed.duration_s": 2.5},
        cached=number % 2 == 0,
        lineage=Lineage(app="a" if number % 3 else None, user_id=f"u{number}"),
        cost_usd=number / 7,
    )
    for number in range(25)
]
SCORES = [score(number, number / 25) for number in range(0, 25, 5)]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    packed = (RELEASED / "version_1.duckdb.gz").read_bytes()
    (tmp_path / "traces.duckdb").write_bytes(gzip.decompress(packed))
    return tmp_path


async def open_store(folder: Path) -> DuckDBTraces:
    return await DuckDBTraces.open(folder / "traces.duckdb", folder / "spool")


async def test_every_record_of_version_1_survives(old):
    for _ in range(2):
        store = await open_store(old)
        spans = await store.spans(Question(order=(Order(column="start_ns"),)))
        assert spans == [*SPANS[:3], span(3, name="again"), *SPANS[4:]]
        scores = await store.scores(Question(source="scores", order=(Order(column="time_ns"),)))
        assert scores == [SCORES[0], score(4, "text", reason="why"), *SCORES[1:]]
        durations = await store.query(Question(columns=("duration_s",), order=(Order(column="start_ns"),), limit=2))
        assert durations.rows == ((2.5,), (0.5,))
        await store.close()


async def test_what_comes_after_a_migration_arrives_after_what_was_there(old):
    store = await open_store(old)
    cursor = await store.latest_cursor()
    await store.append([span(30)])
    assert (await store.arrivals(cursor)).spans == (span(30),)
    assert len((await store.arrivals()).spans) == 26
    await store.close()


@pytest.mark.parametrize("moment", ["schema", "_move", "sync_folder"])
async def test_a_migration_that_is_interrupted_leaves_the_old_file_or_the_new_one(old, monkeypatch, moment):
    def killed(*_: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(migrate, moment, killed)
        with pytest.raises(Unavailable, match="killed"):
            await open_store(old)
    store = await open_store(old)
    assert len(await store.spans(Question(limit=None))) == 25
    assert len(await store.scores(Question(source="scores", limit=None))) == 6
    await store.close()
    assert sorted(path.name for path in old.iterdir()) == ["spool", "traces.duckdb", "traces.duckdb.index"]
