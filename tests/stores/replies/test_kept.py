"""Kept replies in their table."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noria.core.caching import KeptReply, Piece
from noria.core.events import Delta, Raw, Stopped
from noria.stores.replies import KeptReplies

S = 10**9


class Shelf:
    def __init__(self, url: str, most_bytes: int = 10**6) -> None:
        self.url, self.now_ns = url, 1000 * S
        self.replies = self.open(most_bytes)

    def open(self, most_bytes: int = 10**6, *, alone: bool = True) -> KeptReplies:
        return KeptReplies.open(self.url, most_bytes=most_bytes, now=lambda: self.now_ns, alone=alone)

    def keep(self, key: str, **changes: Any) -> KeptReply:
        reply = self.made(key, **changes)
        self.replies.keep(reply)
        return reply

    def made(self, key: str, **changes: Any) -> KeptReply:
        given: dict[str, Any] = {
            "key": key, "trace_id": f"trace-{key}", "span_id": "s", "kept_ns": self.now_ns,
            "ends_ns": self.now_ns + 60 * S, "pieces": (Piece(after_s=0.1, event=Delta(text="x")),),
        }  # fmt: skip
        return KeptReply(**given | changes)


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    found = Shelf(f"sqlite:///{tmp_path / 'replies.sqlite'}")
    yield found
    await found.replies.close()


@pytest.fixture
async def several(empty_url: str) -> AsyncIterator[Shelf]:
    """Where other processes keep replies, too: in a file and in PostgreSQL."""
    found = Shelf(empty_url)
    yield found
    await found.replies.close()


async def test_a_reply_comes_back_as_it_was_also_after_a_restart(shelf: Shelf) -> None:
    raw = Raw(wire="w", data=b"\x00data", events=(Delta(text="a"), Stopped(reason="stop")))
    kept = shelf.keep("k", pieces=(Piece(after_s=0.5, event=raw),), user_id="ann", ttft_s=0.2)
    assert await shelf.replies.find("k") == kept  # before it is written, and after
    await shelf.replies.close()
    shelf.replies = shelf.open()
    assert await shelf.replies.find("k") == kept
    assert await shelf.replies.find("other") is None


async def test_a_newer_reply_takes_the_place_of_the_older(shelf: Shelf) -> None:
    shelf.keep("k", provider="old")
    shelf.replies._settle()
    shelf.keep("k", provider="new")
    found = await shelf.replies.find("k")
    assert found is not None
    assert found.provider == "new"
    shelf.replies._settle()
    assert shelf.replies.numbers()["noria_cache_replies"] == 1


async def test_what_is_too_old_is_not_there(shelf: Shelf) -> None:
    shelf.keep("k")
    shelf.now_ns += 60 * S
    assert await shelf.replies.find("k") is None


async def test_the_oldest_make_room(shelf: Shelf) -> None:
    await shelf.replies.close()
    shelf.replies = shelf.open(most_bytes=10_000)
    text = Piece(after_s=0, event=Delta(text="x" * 1000))
    for number in range(30):
        shelf.now_ns += S
        shelf.keep(f"k{number}", pieces=(text,))
        shelf.replies._settle()
    numbers = shelf.replies.numbers()
    assert 5 <= numbers["noria_cache_replies"] <= 10
    assert numbers["noria_cache_bytes"] <= 10_000
    assert await shelf.replies.find("k29") is not None
    assert await shelf.replies.find("k0") is None


def written(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_what_is_forgotten_is_not_in_the_files_any_more(shelf: Shelf, tmp_path: Path) -> None:
    marker = "what-only-ann-has-ever-been-told"
    for key, user in (("a", "ann"), ("b", "bob"), ("c", "bob")):
        shelf.keep(key, user_id=user, pieces=(Piece(after_s=0, event=Delta(text=marker if key != "b" else "y")),))
    assert shelf.replies.forget(user="ann", traces=["trace-c", "unknown"]) == 2
    assert await shelf.replies.find("a") is None
    assert await shelf.replies.find("b") is not None
    assert marker.encode() not in written(tmp_path)


async def test_a_damaged_file_costs_its_replies_and_nothing_else(shelf: Shelf, tmp_path: Path) -> None:
    shelf.keep("k")
    await shelf.replies.close()
    (tmp_path / "replies.sqlite").write_bytes(b"not a database" * 1000)
    shelf.replies = shelf.open()
    assert await shelf.replies.find("k") is None
    shelf.keep("k")
    shelf.replies._settle()
    assert await shelf.replies.find("k") is not None


def vector(*numbers: float) -> bytes:
    found = np.asarray(numbers, dtype="<f4")
    return bytes((found / np.linalg.norm(found)).astype("<f4").tobytes())


async def test_the_likest_question_with_the_same_everything_else(shelf: Shelf) -> None:
    near, far = vector(1, 0.1), vector(0, 1)
    shelf.keep("near", about="x", embedder="e", vector=near)
    shelf.keep("far", about="x", embedder="e", vector=far)
    shelf.keep("elsewhere", about="y", embedder="e", vector=vector(1, 0))
    shelf.keep("otherwise", about="x", embedder="f", vector=vector(1, 0))
    shelf.keep("longer", about="x", embedder="e", vector=vector(1, 0, 0))
    shelf.replies._settle()
    found = await shelf.replies.near("x", "e", vector(1, 0), 0.9)
    assert found is not None
    assert (found[0].key, round(found[1], 3)) == ("near", 0.995)
    assert await shelf.replies.near("x", "e", vector(1, 0), 0.999) is None
    assert await shelf.replies.near("z", "e", vector(1, 0), 0.0) is None


async def test_new_questions_are_seen_and_the_oldest_are_compared_no_more(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noria.stores.replies.nearest.MOST_COMPARED", 3)
    for number in range(5):
        shelf.now_ns += S
        shelf.keep(f"k{number}", about="x", embedder="e", vector=vector(1, number))
        shelf.replies._settle()
        found = await shelf.replies.near("x", "e", vector(1, number), 0.9999)
        assert found is not None
        assert found[0].key == f"k{number}"
    assert await shelf.replies.near("x", "e", vector(1, 0), 0.9999) is None
    shelf.replies.forget(traces=["trace-k4"])
    found = await shelf.replies.near("x", "e", vector(1, 4), 0.9)
    assert found is not None
    assert found[0].key == "k3"


async def no_thread(*_: object) -> None:
    raise AssertionError("a thread was asked")


async def test_no_look_up_waits_for_a_thread(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = shelf.keep("k", about="x", embedder="e", vector=vector(1, 0))
    await shelf.replies.close()
    shelf.replies = shelf.open()
    monkeypatch.setattr(asyncio, "to_thread", no_thread)
    assert await shelf.replies.find("k") == kept
    assert await shelf.replies.find("other") is None
    assert await shelf.replies.near("x", "e", vector(1, 0), 0.9) is not None
    monkeypatch.undo()


async def test_many_questions_at_once_are_read_apart(shelf: Shelf) -> None:
    for number in range(60):
        shelf.now_ns += S
        shelf.keep(f"k{number}", about="x", embedder="e", vector=vector(1, number))
    shelf.replies._settle()
    found = await shelf.replies.near("x", "e", vector(1, 0), 0.9999)
    assert found is not None
    assert found[0].key == "k0"


async def test_a_table_that_can_not_be_read_is_as_an_empty_one(shelf: Shelf, tmp_path: Path) -> None:
    shelf.keep("k", about="x", embedder="e", vector=vector(1, 0))
    await shelf.replies.close()
    shelf.replies = shelf.open()
    with sqlite3.connect(tmp_path / "replies.sqlite") as connection:
        connection.execute("DROP TABLE kept_replies_2")
    connection.close()
    assert await shelf.replies.find("k") is None
    assert await shelf.replies.near("x", "e", vector(1, 0), 0.9) is None
    assert shelf.replies.numbers()["noria_cache_failed_total"] == 2


async def test_of_several_on_one_table_each_sees_what_the_others_keep_and_forget(several: Shelf) -> None:
    other = several.open(alone=False)
    kept = several.keep("k", user_id="ann", about="x", embedder="e", vector=vector(1, 0))
    several.replies._settle()
    assert await other.find("k") == kept
    assert await other.near("x", "e", vector(1, 0), 0.9) == (kept, 1.0)
    assert several.replies.forget(user="ann") == 1
    assert await other.find("k") is None
    assert await other.near("x", "e", vector(1, 0), 0.9) is None
    await other.close()


@pytest.mark.parametrize("what", [{"user": "ann"}, {"traces": ["trace-late"]}])
async def test_what_is_written_after_it_was_forgotten_does_not_come_back(several: Shelf, what: dict[str, Any]) -> None:
    other = several.open(alone=False)
    late = several.made("late", user_id="ann")
    several.now_ns += S
    several.replies.forget(**what)
    other.keep(late)
    assert await other.find("late") is None  # nor while it waits to be written
    other._settle()
    assert await other.find("late") is None
    several.now_ns += 60 * S
    later = several.made("later", user_id="ann", trace_id="trace-late")
    other.keep(later)
    other._settle()
    assert await other.find("later") == later
    await other.close()


async def test_how_full_the_table_is_counts_what_others_keep(several: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noria.stores.replies.kept._MEASURE_S", 0.0)
    other = several.open(alone=False)
    several.keep("a")
    several.replies._settle()
    other.keep(several.made("b"))
    other._settle()
    assert other.numbers()["noria_cache_replies"] == 2
    await other.close()
