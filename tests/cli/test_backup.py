"""``noria backup`` and ``noria restore``, with a server and without."""

import json
import signal
import time
from pathlib import Path

import pytest
from noria_cli import Noria


@pytest.fixture
def filled(noria: Noria) -> Noria:
    assert noria.here("apps", "create", "triage").exit_code == 0
    return noria


def restored(noria: Noria, folder: Path) -> Noria:
    return Noria(folder, {name: value for name, value in noria.environ.items() if name != "NORIA_DATA"})


def test_a_folder_is_backed_up_verified_and_restored(filled: Noria, tmp_path: Path) -> None:
    file, again = tmp_path / "monday.tar", tmp_path / "again"
    said = filled.here("backup", file)
    assert said.exit_code == 0, said.stderr
    assert "is written and checked" in said.stdout
    assert "The admin key is not in it" in said.stdout
    assert file.stat().st_mode & 0o077 == 0, "it holds what people said"
    assert "is whole" in filled.here("backup", "--verify", file).stdout
    assert filled.here("backup", file).exit_code == 2, "nothing is written over"
    done = filled.here("restore", file, "--data", again)
    assert done.exit_code == 0, done.stderr
    assert [app["name"] for app in restored(filled, again).json("apps", "list")] == ["triage"]
    assert restored(filled, again).json("audit", "verify")["whole"]
    assert "is not empty" in filled.here("restore", file, "--data", again).stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "data", "monday.tar"]


def test_a_damaged_backup_is_said_and_not_restored(filled: Noria, tmp_path: Path) -> None:
    file = tmp_path / "b.tar"
    assert filled.json("backup", file)["spans"] == 0
    content = bytearray(file.read_bytes())
    content[content.index(b"triage")] ^= 1
    file.write_bytes(content)
    for arguments in (("backup", "--verify", file), ("restore", file, "--data", tmp_path / "again")):
        result = filled.here(*arguments)
        assert result.exit_code == 2
        assert "no backup that can be trusted" in result.stderr
    assert not (tmp_path / "again").exists()


def test_a_running_server_is_backed_up(filled: Noria, tmp_path: Path) -> None:
    with filled.start("up", "--port", "0") as server:
        assert server.stdout
        assert "ready" in server.stdout.readline()
        try:
            manifest = filled.json("backup", tmp_path / "b.tar", "--with-key")
            assert manifest["key"]
            [entry] = filled.json("audit", "list", "--action", "backup.made")
            assert (entry["subject"], entry["details"]["backup"]) == ("b.tar", manifest["id"])
            assert filled.here("backup", tmp_path / "no" / "b.tar").exit_code == 2
        finally:
            server.send_signal(signal.SIGTERM)
    result = filled.run("restore", tmp_path / "b.tar", "--data", tmp_path / "again", "--json")
    assert json.loads(result.stdout)["id"] == manifest["id"], result.stderr
    keys = [folder.joinpath("admin.key").read_text() for folder in (filled.folder, tmp_path / "again")]
    assert keys[0] == keys[1]


def test_ctrl_c_leaves_no_half_backup(filled: Noria, tmp_path: Path) -> None:
    big = filled.folder / "blobs" / "00" / "00"
    big.mkdir(parents=True)
    with (big / ("0" * 64)).open("wb") as file:
        file.truncate(4 << 30)  # takes no room, and some seconds to read
    target = tmp_path / "out"
    target.mkdir()
    with filled.start("backup", target / "b.tar") as process:
        deadline = time.monotonic() + 40
        while not any(path.stat().st_size > 1 << 20 for path in target.iterdir()):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert list(target.iterdir()) == []
