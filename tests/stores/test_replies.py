"""Kept replies in their table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noria.core.caching import KeptReply, Piece
from noria.core.events import Delta, Raw, Stopped
from noria.stores.held_replies import HeldReplies
from noria.stores.replies import KeptReplies

S = 10**9


class Shelf:
    def __init__(self, url: str, most_bytes: int = 10**6) -> None:
        self.url, self.now_ns = url, 1000 * S
        self.replies = self.open(most_bytes)

    def open(self, most_bytes: int = 10**6, *, alone: bool = True) -> KeptReplies:
        return KeptReplies.open(self.url, most_bytes=most_bytes, now=lambda: self.now_ns, alone=alone)

    def keep(self, key: str, **changes: Any) -> KeptReply:
        given: dict[str, Any] = {
            "key": key, "trace_id": f"trace-{key}", "span_id": "s", "kept_ns": self.now_ns,
            "ends_ns": self.now_ns + 60 * S, "pieces": (Piece(after_s=0.1, event=Delta(text="x")),),
        }  # fmt: skip
        reply = KeptReply(**given | changes)
        self.replies.keep(reply)
        return reply


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    found = Shelf(f"sqlite:///{tmp_path / 'replies.sqlite'}")
    yield found
    found.replies.close()


async def test_a_reply_comes_back_as_it_was_also_after_a_restart(shelf: Shelf) -> None:
    raw = Raw(wire="w", data=b"\x00data", events=(Delta(text="a"), Stopped(reason="stop")))
    kept = shelf.keep("k", pieces=(Piece(after_s=0.5, event=raw),), user_id="ann", ttft_s=0.2)
    assert await shelf.replies.find("k") == kept  # before it is written, and after
    shelf.replies.close()
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
    shelf.replies.close()
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
    shelf.replies.close()
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
    monkeypatch.setattr("noria.stores.nearest.MOST_COMPARED", 3)
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


async def test_what_is_not_there_and_what_is_asked_again_ask_no_thread(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = shelf.keep("k")
    shelf.replies._settle()
    shelf.replies.close()
    shelf.replies = shelf.open()
    assert await shelf.replies.find("k") == kept  # read once
    monkeypatch.setattr(shelf.replies, "_find", None)
    assert await shelf.replies.find("k") == kept
    assert await shelf.replies.find("other") is None
    new = shelf.keep("new")
    shelf.replies._settle()
    assert await shelf.replies.find("new") == new


async def test_what_was_read_while_it_was_forgotten_is_held_no_longer(shelf: Shelf) -> None:
    shelf.keep("k", user_id="ann")
    shelf.replies._settle()
    shelf.replies.close()
    shelf.replies = shelf.open()
    held = shelf.replies._held
    assert held is not None
    assert "k" in held
    shelf.replies.forget(user="ann")
    held.hold("k", b"read before it was deleted")
    assert held.body("k") is None
    assert await shelf.replies.find("k") is None


def test_bodies_make_room_and_keys_stay() -> None:
    held = HeldReplies(most_bytes=10)
    for key in ("a", "b", "c"):
        held.add(key, b"four")
    assert [held.body(key) for key in ("a", "b", "c")] == [None, b"four", b"four"]
    held.body("b")  # asked for later than c
    held.add("d", b"four")
    assert [held.body(key) for key in ("b", "c", "d")] == [b"four", None, b"four"]
    assert "a" in held
    held.become(["a", "d"])
    assert [key in held for key in ("a", "b", "d")] == [True, False, True]
    held.drop(["d"])
    assert held.body("d") is None
    held.add("large", b"larger than all there is room for")
    assert held.body("large") is None
    held.add("a", b"1234567890")
    assert held.body("a") == b"1234567890"


async def test_of_several_on_one_table_each_sees_what_the_others_keep_and_forget(shelf: Shelf) -> None:
    other = shelf.open(alone=False)
    kept = shelf.keep("k", user_id="ann")
    shelf.replies._settle()
    assert await other.find("k") == kept
    assert shelf.replies.forget(user="ann") == 1
    assert await other.find("k") is None
    other.close()
