import errno
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from noria.core.errors import Conflict, InvalidInput, StorageFull
from noria.stores.folder import FORMAT, DataFolder, bring_up_to_date, holder_of, killed_holder_of, stored_key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "data"


@contextmanager
def held_by_another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    program = (
        "import sys; from noria.stores.folder import DataFolder\n"
        f"folder = DataFolder.open({str(path)!r}, holder='noria up', url='http://127.0.0.1:7700')\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_is_the_owners_alone(path: Path) -> None:
    with DataFolder.open(path, holder="test") as folder:
        assert mode(path) == 0o700
        assert (path / "FORMAT").read_text() == f"{FORMAT}\n"
        assert {folder.spool, folder.blobs, folder.logs} <= set(path.iterdir())
        assert folder.catalogue_url == f"sqlite:///{path}/catalogue.sqlite"
        assert (folder.traces.parent, folder.key_file.parent) == (path, path)


def test_opening_again_after_closing_finds_everything(path: Path) -> None:
    with DataFolder.open(path, holder="test") as folder:
        (folder.blobs / "x").write_text("kept")
    with DataFolder.open(path, holder="test") as folder:
        assert (folder.blobs / "x").read_text() == "kept"


def test_a_second_opener_is_told_who_holds_it(path: Path) -> None:
    before = time.time_ns()
    with held_by_another_process(path) as process:
        with pytest.raises(Conflict) as caught:
            DataFolder.open(path, holder="noria eval")
        holder = holder_of(path)
        assert holder is not None
        assert (holder.pid, holder.command, holder.url) == (process.pid, "noria up", "http://127.0.0.1:7700")
        assert before < (holder.since_ns or 0) < time.time_ns()
    sentence = str(caught.value)
    for part in (
        str(path),
        '"noria up"',
        f"process {process.pid}",
        "since 2",
        "UTC",
        "NORIA_URL=http://127.0.0.1:7700",
        "--data",
    ):
        assert part in sentence


def test_a_killed_holder_holds_nothing(path: Path) -> None:
    with held_by_another_process(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (path / "holder.json").exists(), "the note of a killed process stays behind"
        assert holder_of(path) is None
        killed = killed_holder_of(path)
        assert killed is not None
        assert killed.pid == process.pid
        with DataFolder.open(path, holder="noria eval") as folder:
            assert folder.holder.pid == os.getpid()
            assert killed_holder_of(path) is None
    assert killed_holder_of(path) is None, "the one after it was closed in order"


def test_the_same_process_cannot_open_it_twice(path: Path) -> None:
    with (
        DataFolder.open(path, holder="one"),
        pytest.raises(Conflict, match=rf'"one" \(process {os.getpid()}.*Wait for it'),
    ):
        DataFolder.open(path, holder="two")


def test_nobody_holds_a_closed_a_new_or_a_missing_folder(path: Path) -> None:
    assert holder_of(path) is None
    folder = DataFolder.open(path, holder="test")
    assert holder_of(path) is not None
    folder.close()
    folder.close()
    assert holder_of(path) is None
    assert not (path / "holder.json").exists()


@pytest.mark.parametrize("note", [None, b"", b"{", b"\xff", b'{"pid": "x"}'])
def test_a_holder_that_has_not_said_who_it_is_still_holds(path: Path, note: bytes | None) -> None:
    with DataFolder.open(path, holder="test"):
        if note is None:
            (path / "holder.json").unlink()
        else:
            (path / "holder.json").write_bytes(note)
        holder = holder_of(path)
        assert holder is not None
        assert holder.pid is None
        with pytest.raises(Conflict, match="in use by another process"):
            DataFolder.open(path, holder="two")


@pytest.mark.skipif(sys.platform == "win32", reason="no owners as numbers")
def test_a_stranger_who_can_write_in_the_folder_names_no_url(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened_by(author: int) -> None:
        found = os.fstat

        def fstat(descriptor: int) -> os.stat_result:
            fields = list(found(descriptor))
            fields[stat.ST_UID] = author
            return os.stat_result(fields)

        monkeypatch.setattr(os, "fstat", fstat)

    with DataFolder.open(path, holder="noria up", url="http://127.0.0.1:41234"):
        opened_by(os.geteuid() + 4321)
        holder = holder_of(path)
        assert holder is not None, "whoever it is, the folder is held"
        assert (holder.url, holder.pid) == (None, None)
        with pytest.raises(Conflict, match="in use by another process") as caught:
            DataFolder.open(path, holder="two")
        assert "41234" not in str(caught.value)
        opened_by(0)
        assert str(holder_of(path)).endswith("http://127.0.0.1:41234"), "root may do everything anyway"


def test_the_url_is_told_once_it_is_known(path: Path) -> None:
    with DataFolder.open(path, holder="noria up") as folder:
        folder.set_url("http://127.0.0.1:41234")
        holder = holder_of(path)
        assert holder == folder.holder
        assert holder is not None
        assert (holder.command, holder.url) == ("noria up", "http://127.0.0.1:41234")


def test_programs_that_the_holder_starts_do_not_hold_it(path: Path) -> None:
    folder = DataFolder.open(path, holder="test")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL):
        folder.close()
        DataFolder.open(path, holder="next").close()


def test_a_folder_from_a_newer_version_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "FORMAT").write_text(f"{FORMAT + 1}\n")
    with pytest.raises(
        InvalidInput, match=rf"newer version of Noria \(layout {FORMAT + 1}; this version knows {FORMAT}\)"
    ):
        DataFolder.open(path, holder="test")
    assert holder_of(path) is None
    assert (path / "FORMAT").read_text() == f"{FORMAT + 1}\n"
    assert not (path / "spool").exists()


@pytest.mark.parametrize("number", ["", "one", "0", "-1", "1.5", "9" * 30, "\x00"])
def test_a_folder_without_a_readable_number_is_refused(path: Path, number: str) -> None:
    path.mkdir(parents=True)
    (path / "FORMAT").write_text(number)
    with pytest.raises(InvalidInput, match="does not hold a number"):
        DataFolder.open(path, holder="test")


def test_an_older_folder_is_upgraded_step_by_step(tmp_path: Path) -> None:
    done: list[str] = []
    (tmp_path / "FORMAT").write_text("2\n")
    bring_up_to_date(
        tmp_path, [lambda _: done.append("1 to 2"), lambda _: done.append("2 to 3"), lambda _: done.append("3 to 4")]
    )
    assert done == ["2 to 3", "3 to 4"]
    assert (tmp_path / "FORMAT").read_text() == "4\n"


def test_an_upgrade_that_fails_goes_on_where_it_stopped(tmp_path: Path) -> None:
    done: list[int] = []

    def fail(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "FORMAT").write_text("1\n")
    with pytest.raises(OSError, match="No space"):
        bring_up_to_date(tmp_path, [lambda _: done.append(1), fail])
    assert (tmp_path / "FORMAT").read_text() == "2\n"
    bring_up_to_date(tmp_path, [lambda _: done.append(1), lambda _: done.append(2)])
    assert done == [1, 2]


def test_the_key_is_made_once_and_its_file_is_private(path: Path) -> None:
    assert stored_key(path) is None
    with DataFolder.open(path, holder="test") as folder:
        key = folder.admin_key(None)
        assert len(key) > 40
        assert mode(folder.key_file) == 0o600
        assert folder.admin_key("") == key
    with DataFolder.open(path, holder="test") as folder:
        assert folder.admin_key(None) == key
    assert stored_key(path) == key


def test_the_key_file_is_private_from_its_first_byte(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    synced = os.fsync

    def look(descriptor: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        synced(descriptor)

    with DataFolder.open(path, holder="test") as folder:
        monkeypatch.setattr(os, "fsync", look)
        mask = os.umask(0)
        try:
            folder.admin_key(None)
        finally:
            os.umask(mask)
    assert seen[0] == 0o600


def test_a_key_from_the_environment_is_not_written_down(path: Path) -> None:
    with DataFolder.open(path, holder="test") as folder:
        assert folder.admin_key(" given \n") == "given"
        assert not folder.key_file.exists()


def test_a_key_file_that_became_readable_is_closed_again(path: Path) -> None:
    with DataFolder.open(path, holder="test") as folder:
        key = folder.admin_key(None)
        folder.key_file.chmod(0o644)
        assert folder.admin_key(None) == key
        assert mode(folder.key_file) == 0o600


def test_an_empty_key_file_is_no_key_and_a_strange_one_is_refused(path: Path) -> None:
    with DataFolder.open(path, holder="test") as folder:
        folder.key_file.write_text("\n")
        assert len(folder.admin_key(None)) > 40
        folder.key_file.write_bytes(b"\xff\xfe")
        with pytest.raises(InvalidInput, match="does not hold a key"):
            folder.admin_key(None)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_full_or_read_only_disk(path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with DataFolder.open(path, holder="test") as folder, monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StorageFull, match=os.strerror(number)):
            folder.admin_key(None)
        with pytest.raises(StorageFull):
            folder.set_url("http://127.0.0.1:1")
        assert sorted(file.name for file in path.iterdir()) == [
            "FORMAT",
            "blobs",
            "holder.json",
            "lock",
            "logs",
            "spool",
        ]
        assert folder.holder.url is None
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull):
        DataFolder.open(path / "other", holder="test")
    assert holder_of(path / "other") is None


def test_a_place_that_cannot_be_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InvalidInput, match="can't be used"):
            DataFolder.open(place, holder="test")

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(InvalidInput, match="Permission denied.*Check the path and its permissions"):
        DataFolder.open(tmp_path / "new", holder="test")
