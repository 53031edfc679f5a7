from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.core.errors import StorageFull, Unavailable
from noria.stores import disk, group_commit, room, segment_writer
from noria.stores.disk import make_folder, to_disk, to_system
from noria.stores.segments import START, Damage, Frame, Position, frame, scan
from noria.stores.spool import Spool

payloads = st.lists(st.binary(max_size=60), min_size=1, max_size=6)


def read_all(spool: Spool, after: Position = START) -> tuple[list[bytes], Position]:
    found: list[bytes] = []
    while (batch := spool.read(after)) is not None:
        found += [item.payload for item in batch.frames]
        after = batch.position
    return found, after


async def fill(folder: Path, items: list[bytes], **options: int) -> None:
    spool = Spool.open(folder, **options)
    for item in items:
        await spool.append(item)
    spool.close()


def only_segment(folder: Path) -> Path:
    [path] = folder.glob("*.spool")
    return path


def encoded(items: list[bytes], number: int = 7) -> tuple[bytes, list[int]]:
    data, ends = b"", []
    for item in items:
        data += frame(item, number, len(data))
        ends.append(len(data))
    return data, ends


# -- the file format


@given(payloads)
def test_frames_come_back_in_order(items):
    data, ends = encoded(items)
    assert list(scan(data, 7)) == [Frame(end, item) for end, item in zip(ends, items, strict=True)]
    assert list(scan(data[ends[0] :], 7, base=ends[0])) == list(scan(data, 7))[1:]


@given(payloads, st.data())
def test_a_cut_anywhere_keeps_every_whole_frame_and_invents_none(items, data):
    whole, ends = encoded(items)
    cut = data.draw(st.integers(0, len(whole)))
    found = list(scan(whole[:cut], 7))
    kept = [end for end in ends if end <= cut]
    last = kept[-1] if kept else 0
    assert found == list(scan(whole, 7))[: len(kept)] + ([Damage(last, cut)] if cut > last else [])


@given(payloads, st.data())
def test_a_flipped_bit_costs_its_own_frame_and_no_other(items, data):
    whole, ends = encoded(items)
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    spoiled = bytearray(whole)
    spoiled[bit // 8] ^= 1 << bit % 8
    hit = next(index for index, end in enumerate(ends) if bit // 8 < end)
    found = list(scan(bytes(spoiled), 7))
    assert [item.payload for item in found if isinstance(item, Frame)] == items[:hit] + items[hit + 1 :]
    assert [item for item in found if isinstance(item, Damage)] == [Damage(ends[hit - 1] if hit else 0, ends[hit])]


@given(payloads)
def test_frames_of_another_file_or_place_are_no_frames(items):
    data, _ = encoded(items)
    assert list(scan(data, 8)) == [Damage(0, len(data))]
    assert list(scan(data, 7, base=1)) == [Damage(1, len(data) + 1)]


@given(payloads)
def test_frames_inside_a_payload_are_content(items):
    inner, _ = encoded(items)
    data, _ = encoded([inner, b"after"])
    assert [item.payload for item in scan(data, 7) if isinstance(item, Frame)] == [inner, b"after"]
    broken = b"\0" + data[1:]  # the outer frame is lost; what it held was written at another offset
    assert list(scan(broken, 7)) == [Damage(0, len(inner) + 12), Frame(len(data), b"after")]


# -- the spool


async def test_what_was_appended_is_there_after_a_restart(tmp_path):
    await fill(tmp_path, [b"a", b"", b"c" * 5000])
    again = Spool.open(tmp_path)
    assert read_all(again)[0] == [b"a", b"", b"c" * 5000]
    assert again.cut_bytes == 0
    again.close()


async def test_appenders_that_arrive_together_share_a_sync(tmp_path):
    syncs = []
    spool = Spool.open(tmp_path, sync=syncs.append)
    positions = await asyncio.gather(*(spool.append(b"%d" % number) for number in range(200)))
    assert positions == sorted(positions)
    assert read_all(spool) == ([b"%d" % number for number in range(200)], positions[-1])
    assert 1 <= len(syncs) < 50
    spool.close()


async def test_segments_rotate_and_go_only_when_taken(tmp_path):
    spool = Spool.open(tmp_path, segment_bytes=100)
    positions = [await spool.append(b"x" * 40) for _ in range(6)]
    assert [place.segment for place in positions] == [1, 1, 2, 2, 3, 3]
    first = spool.read(START)
    assert first is not None
    assert (len(first.frames), first.position) == (2, positions[1])
    spool.release(Position(1, 10))
    assert len(list(tmp_path.glob("*.spool"))) == 3
    spool.release(positions[1])
    assert len(list(tmp_path.glob("*.spool"))) == 2
    assert spool.pending_bytes == 4 * 52
    assert read_all(spool, positions[1])[0] == [b"x" * 40] * 4
    spool.release(spool.end)
    assert spool.pending_bytes == 0
    spool.close()
    assert list(tmp_path.glob("*.spool")) == []


async def test_numbers_are_never_used_again(tmp_path):
    await fill(tmp_path, [b"one"])
    spool = Spool.open(tmp_path, taken=Position(9, 500))
    assert read_all(spool, Position(9, 500))[0] == []
    place = await spool.append(b"two")
    assert place.segment == 10
    assert read_all(spool, Position(9, 500))[0] == [b"two"]
    spool.close()


@settings(max_examples=25)
@given(items=payloads, data=st.data())
def test_an_unfinished_end_is_cut_and_reported(tmp_path_factory, items, data):
    folder = tmp_path_factory.mktemp("spool")
    asyncio.run(fill(folder, items))
    path = only_segment(folder)
    whole = path.read_bytes()
    last = len(whole) - len(items[-1]) - 12
    cut = data.draw(st.integers(last, len(whole) - 1))
    path.write_bytes(whole[:cut])
    with structlog.testing.capture_logs() as logs:
        spool = Spool.open(folder)
    assert spool.cut_bytes == cut - last
    assert [entry["cut_bytes"] for entry in logs if entry["event"] == "spool.cut"] == (
        [cut - last] if cut > last else []
    )
    assert read_all(spool)[0] == items[:-1]
    spool.close()
    again = Spool.open(folder)
    assert (again.cut_bytes, read_all(again)[0]) == (0, items[:-1])
    again.close()


async def test_damage_inside_is_reported_and_what_follows_is_read(tmp_path):
    await fill(tmp_path, [b"a" * 20, b"b" * 20, b"c" * 20, b"d" * 20], segment_bytes=90)
    path = min(tmp_path.glob("*.spool"))
    spoiled = bytearray(path.read_bytes())
    spoiled[20] ^= 1
    path.write_bytes(spoiled)
    spool = Spool.open(tmp_path)
    with structlog.testing.capture_logs() as logs:
        assert read_all(spool)[0] == [b"b" * 20, b"c" * 20, b"d" * 20]
    assert (spool.cut_bytes, spool.damaged_bytes) == (0, 32)
    assert [(entry["offset"], entry["lost_bytes"]) for entry in logs] == [(0, 32)]
    spool.close()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("step", ["write", "sync"])
async def test_a_full_disk_refuses_and_leaves_nothing_half_written(tmp_path, monkeypatch, code, step):
    spool = Spool.open(tmp_path)
    before = await spool.append(b"before")
    real = os.write

    def half_a_write(file: int, data: bytes) -> int:
        real(file, bytes(data)[: len(data) // 2])
        raise OSError(code, os.strerror(code))

    def no_sync(file: int) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        if step == "write":
            patched.setattr(segment_writer.os, "write", half_a_write)
        else:
            patched.setattr(spool._writer, "_sync", no_sync)
        outcomes = await asyncio.gather(spool.append(b"lost" * 9), spool.append(b"too"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StorageFull, StorageFull]
    assert os.strerror(code) in str(outcomes[0])
    assert spool.end == before
    assert only_segment(tmp_path).stat().st_size == before.offset
    after = await spool.append(b"after")
    assert after.segment == before.segment + 1
    assert read_all(spool)[0] == [b"before", b"after"]
    spool.close()


async def test_a_defect_while_writing_is_answered_and_the_next_append_works(tmp_path, monkeypatch):
    spool = Spool.open(tmp_path)
    before = await spool.append(b"before")

    def no_memory(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(spool._writer, "_sync", no_memory)
        with pytest.raises(Unavailable, match=r"failed \(MemoryError\).*was not recorded"):
            await asyncio.wait_for(spool.append(b"lost"), 5)
    assert spool.end == before
    await asyncio.wait_for(spool.append(b"after"), 5)
    assert read_all(spool)[0] == [b"before", b"after"]
    spool.close()


async def test_what_could_not_be_cut_off_at_once_is_cut_off_before_the_next_write(tmp_path, monkeypatch):
    spool = Spool.open(tmp_path)
    before = await spool.append(b"before")

    def fail(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(spool._writer, "_sync", fail)
        patched.setattr(segment_writer, "cut_off", fail)
        with pytest.raises(StorageFull):
            await spool.append(b"refused")
        with pytest.raises(StorageFull):
            await spool.append(b"refused too")
    assert only_segment(tmp_path).stat().st_size > before.offset
    assert read_all(spool)[0] == [b"before"]
    await spool.append(b"after")
    spool.close()
    again = Spool.open(tmp_path)
    assert read_all(again)[0] == [b"before", b"after"]
    again.close()


def test_a_real_file_size_limit_is_a_full_disk(tmp_path):
    program = f"""
import asyncio, resource, signal, sys
from pathlib import Path
from noria.core.errors import StorageFull
from noria.stores.segments import START
from noria.stores.spool import Spool
async def main():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    spool = Spool.open(Path({str(tmp_path)!r}))
    kept = 0
    try:
        while True:
            await spool.append(b"x" * 100)
            kept += 1
    except StorageFull:
        print(kept, file=sys.stderr)
    spool.close()
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    spool = Spool.open(tmp_path)
    assert (int(done.stderr), spool.cut_bytes) == (8, 0)
    assert read_all(spool)[0] == [b"x" * 100] * 8
    spool.close()


async def test_too_much_waiting_is_said_not_dropped(tmp_path):
    spool = Spool.open(tmp_path, most_bytes=100)
    await spool.append(b"x" * 50)
    with pytest.raises(Unavailable, match="not taken yet") as refused:
        await spool.append(b"x" * 50)
    assert refused.value.retry_after_s > 0
    spool.release(spool.end)
    await spool.append(b"x" * 50)
    spool.close()
    with pytest.raises(Unavailable, match="closed"):
        await spool.append(b"x")


async def test_memory_is_no_second_spool(tmp_path, monkeypatch):
    monkeypatch.setattr(group_commit, "MOST_WAITING", 100)
    gate = threading.Event()
    spool = Spool.open(tmp_path, sync=lambda _: gate.wait(20))
    slow = [asyncio.create_task(spool.append(b"x" * size)) for size in (500, 40)]
    await asyncio.sleep(0)
    assert isinstance((await asyncio.gather(slow[1], return_exceptions=True))[0], Unavailable)
    gate.set()
    await slow[0]  # larger than the bound, and alone
    assert (read_all(spool)[0], spool.turned_away) == ([b"x" * 500], 1)
    spool.close()


async def test_the_last_megabytes_are_left_to_the_consumer(tmp_path, monkeypatch):
    free = 1_000
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    spool = Spool.open(tmp_path, reserve_bytes=900)
    with structlog.testing.capture_logs() as logs:
        await spool.append(b"x" * 80)
        for _ in range(3):
            with pytest.raises(StorageFull, match=r"MB are free.*was not recorded.*by itself") as refused:
                await spool.append(b"x" * 100)
        free = 2_000
        await spool.append(b"y" * 100)
    assert (refused.value.status, refused.value.retry_after_s > 1) == (503, True)
    assert [entry["event"] for entry in logs] == ["spool.refuses", "spool.writes_again"]
    assert (read_all(spool)[0], spool.turned_away) == ([b"x" * 80, b"y" * 100], 3)
    spool.close()


async def test_what_is_free_is_not_asked_for_each_append_and_never_taken_for_more_than_it_was(tmp_path, monkeypatch):
    free, asked = 2_000, 0

    def usage(_: object) -> SimpleNamespace:
        nonlocal asked
        asked += 1
        return SimpleNamespace(free=free)

    monkeypatch.setattr(room.shutil, "disk_usage", usage)
    monkeypatch.setattr(room, "ROOM_S", 60.0)
    spool = Spool.open(tmp_path, reserve_bytes=900)
    for left in (2_000, *[1_000] * 5):
        free = left
        await spool.append(b"x" * 88)  # 100 with its head; half of the first 1,000 that are left is taken for granted
    assert asked == 1
    with pytest.raises(StorageFull):
        await spool.append(b"x" * 89)
    assert asked == 2
    spool.close()


async def test_a_caller_that_gives_up_disturbs_nobody(tmp_path):
    spool = Spool.open(tmp_path)
    gone = asyncio.create_task(spool.append(b"gone"))
    stays = asyncio.create_task(spool.append(b"stays"))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    assert read_all(spool)[0] == [b"gone", b"stays"]
    spool.close()
    spool.close()


def test_an_answer_to_a_loop_that_is_gone_hurts_nobody(tmp_path):
    spool = Spool.open(tmp_path)
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(spool.append(b"kept"))
    gate = threading.Event()
    spool._writer.write, write = lambda items: gate.wait(20) and write(items), spool._writer.write
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.call_soon(waiting.cancel)
    loop.run_until_complete(asyncio.gather(waiting, return_exceptions=True))
    loop.close()
    gate.set()
    spool.close()
    again = Spool.open(tmp_path)
    assert read_all(again)[0] == [b"kept"]
    again.close()


async def test_a_new_file_whose_name_is_not_durable_is_not_used(tmp_path, monkeypatch):
    spool = Spool.open(tmp_path)

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(segment_writer, "sync_folder", fail)
        with pytest.raises(StorageFull):
            await spool.append(b"refused")
    assert list(tmp_path.iterdir()) == []
    await spool.append(b"kept")
    assert read_all(spool)[0] == [b"kept"]
    spool.close()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFull, match="can't be written"):
        Spool.open(tmp_path / "file" / "spool")


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20), st.integers(1, 400))
def test_reading_in_pieces_finds_the_same(tmp_path_factory, items, most):
    folder = tmp_path_factory.mktemp("spool")
    asyncio.run(fill(folder, items, segment_bytes=700))
    spool = Spool.open(folder)
    whole, after = read_all(spool)
    found, at = [], START
    while (batch := spool.read(at, most)) is not None:
        assert sum(len(item.payload) for item in batch.frames) <= max(most, 2 * len(batch.frames[0].payload) + 24)
        found += [item.payload for item in batch.frames]
        at = batch.position
    assert (found, at, spool.damaged_bytes) == (whole, after, 0)
    assert found == items
    spool.close()


@pytest.mark.parametrize("most", [10, 1000])
async def test_a_segment_that_somebody_cut_or_removed_is_reported_and_blocks_nothing(tmp_path, most):
    spool = Spool.open(tmp_path, segment_bytes=100)
    for number in range(6):  # two of 52 bytes a segment
        await spool.append(b"%d" % number * 40)
    first, second, _ = sorted(tmp_path.glob("*.spool"))
    first.unlink()
    os.truncate(second, 60)
    found, at = [], START
    with structlog.testing.capture_logs() as logs:
        while (batch := spool.read(at, most)) is not None:
            found += [item.payload[:1] for item in batch.frames]
            at = batch.position
    assert found == [b"2", b"4", b"5"]
    assert spool.damaged_bytes == 104 + 52
    assert {entry["event"] for entry in logs} == {"spool.damaged"}
    spool.release(at)
    await spool.append(b"after")
    assert read_all(spool, at)[0] == [b"after"]
    spool.close()


async def test_a_spool_that_left_it_to_the_system_is_made_durable_at_the_next_open(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_ino))
    spool = Spool.open(tmp_path / "new" / "spool", sync=to_system, segment_bytes=10)
    inodes = {folder.stat().st_ino for folder in (tmp_path, tmp_path / "new")}
    assert inodes <= set(synced)  # else a power cut could take the folder, and with it all that is in it
    await spool.append(b"x" * 20)
    await spool.append(b"y" * 20)
    files = {path.stat().st_ino for path in (tmp_path / "new" / "spool").glob("*.spool")}
    assert not files & set(synced)
    spool.close()
    Spool.open(tmp_path / "new" / "spool", sync=to_disk).close()
    assert files <= set(synced)


def test_folders_are_made_once_and_again(tmp_path):
    for _ in range(2):
        make_folder(tmp_path / "a" / "b", mode=0o700)
    assert (tmp_path / "a" / "b").is_dir()


class FailingSystem:
    """The ``os`` of the spool, of whose calls the chosen ones fail: before, or after half of a write."""

    def __init__(self, failing: set[int]) -> None:
        self.failing = failing
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in {"open", "write", "fsync", "fdatasync", "close"}:
            return real

        def call(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls in self.failing:
                if name == "write":
                    real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                if name == "close":
                    real(*arguments)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **named)

        return call


@settings(max_examples=60)
@given(failing=st.sets(st.integers(1, 40), max_size=12), groups=st.lists(st.integers(1, 3), min_size=1, max_size=10))
def test_whichever_call_of_the_system_fails_what_was_answered_is_there_once(tmp_path_factory, failing, groups):
    folder = tmp_path_factory.mktemp("spool")
    system = FailingSystem(failing)

    async def live() -> tuple[list[bytes], set[bytes]]:
        kept, refused = [], set()
        spool = Spool.open(folder, segment_bytes=60)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(segment_writer, "os", system)
            patched.setattr(disk, "os", system)
            for index, count in enumerate(groups):
                items = [b"%d.%d" % (index, number) * 3 for number in range(count)]
                outcomes = await asyncio.gather(*(spool.append(item) for item in items), return_exceptions=True)
                for item, outcome in zip(items, outcomes, strict=True):
                    assert isinstance(outcome, Position | StorageFull), outcome
                    kept.append(item) if isinstance(outcome, Position) else refused.add(item)
            assert read_all(spool)[0] == kept
            spool._commits._queue.put(None)  # killed: nothing is closed
            spool._commits._thread.join()
        return kept, refused

    kept, refused = asyncio.run(live())
    again = Spool.open(folder)
    found = read_all(again)[0]
    assert [item for item in found if item not in refused] == kept
    assert len(found) == len(set(found))
    again.close()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 3)),
        st.tuples(st.sampled_from(["take", "crash", "torn"]), st.just(0)),
    ),
    max_size=14,
)


@settings(max_examples=40)
@given(steps=steps)
def test_append_take_and_crash_in_any_order_take_each_frame_once(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("spool")

    async def live() -> None:
        appended: list[bytes] = []
        taken: list[bytes] = []
        position = START
        spool = Spool.open(folder, segment_bytes=40)
        for step, count in [*steps, ("crash", 0), ("take", 0)]:
            if step == "append":
                items = [b"%d" % (len(appended) + index) for index in range(count)]
                await asyncio.gather(*(spool.append(item) for item in items))
                appended += items
            elif step == "take":
                found, position = read_all(spool, position)
                taken += found
                spool.release(position)
            else:
                spool._commits._queue.put(None)  # the thread ends; nothing else is closed, sealed or released
                spool._commits._thread.join()
                if step == "torn" and (last := max(folder.glob("*.spool"), default=None)):
                    with last.open("ab") as file:
                        file.write(frame(b"never acknowledged", 99, 0)[:-3])
                spool = Spool.open(folder, taken=position, segment_bytes=40)
        assert taken == appended
        spool.close()

    asyncio.run(live())
