from __future__ import annotations

import asyncio
import gzip
import hashlib
import itertools
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

import noria.assemble.backup as room
import noria.assemble.restore as put_back
from noria.assemble import Workspace, open_workspace
from noria.assemble.restore import check_backup, restore
from noria.core.backups import BackupFile, Manifest, sealed
from noria.core.datasets import Case
from noria.core.errors import Conflict, InvalidInput, StorageFull
from noria.core.messages import Message
from noria.core.questions import Question
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Span
from noria.settings import Settings
from noria.stores.traces.duckdb import DuckDBTraces
from postgres import postgres_server, postgres_url
from stores.released.catalogues import fill, nouns

__all__ = ["postgres_server", "postgres_url"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=str(tmp_path / "data"))


@pytest.fixture
async def workspace(settings: Settings) -> AsyncIterator[Workspace]:
    async with open_workspace(settings, {}, holder="a test") as opened:
        yield opened


def span(number: int, text: str = "hello über 漢字") -> Span:
    return Span(
        trace_id=f"{number:032x}", span_id=f"{number:016x}", name=f"n{number}", start_ns=number, end_ns=number + 1,
        input=(Message(role="user", content=text),), lineage=Lineage(app="triage"), attributes={"a": {"b": [1.5]}},
    )  # fmt: skip


def score(number: int, value: float = 1.5) -> Score:
    return Score(
        scorer="s", version="1", value=value, trace_id=f"{number:032x}", span_id=f"{number:016x}", time_ns=number
    )


async def write(workspace: Workspace, path: Path, **options: bool) -> Path:
    with path.open("wb") as file:
        async for piece in workspace.backups.stream(path.name, by="ada", **options):
            file.write(piece)
    return path


def read(path: Path) -> bytes:
    return path.read_bytes()


def overwrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def everything(workspace: Workspace) -> tuple[object, ...]:
    """All that questions can tell."""
    spans = sorted(await workspace.traces.spans(Question(limit=None)), key=lambda one: one.span_id)
    scores = await workspace.traces.scores(Question(source="scores", limit=None))
    return nouns(workspace.catalogue), spans, scores, workspace._blobs.sizes()


async def fill_all(workspace: Workspace) -> None:
    fill(workspace.catalogue)
    workspace.datasets.put("cases", [Case(id="1", input={"text": "a"})])
    await workspace.traces.append([span(number) for number in range(1, 30)], [score(number) for number in range(1, 9)])


async def test_a_restored_folder_answers_as_the_one_that_was_backed_up(
    workspace: Workspace, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_PAGE", 7)
    monkeypatch.setattr(room, "_FILE_BYTES", 2000)
    await fill_all(workspace)
    await workspace.traces.append([span(3, "sent again")], [score(3)])
    before = await everything(workspace)
    file = await write(workspace, tmp_path / "b.tar")
    again = Settings(data=str(tmp_path / "again"))
    manifest = await restore(file, again, by="grace")
    assert manifest == check_backup(file)
    assert len([name for name in manifest.files if name.startswith("spans/")]) > 2
    async with open_workspace(again, {}, holder="a test") as restored:
        assert await everything(restored) == before
        told = {entry.action: entry for entry in restored.catalogue.audit.list(5)}
        assert told["backup.restored"].actor == "grace"
        report = restored.catalogue.audit.verify(manifest.audit_head)
        assert report.whole
        assert restored.key.reveal() != workspace.key.reveal()
        await restored.traces.append([span(99)])
        restored.catalogue.apps.put("later")
    assert not any(name.startswith(".") for name in names(tmp_path))
    [made] = workspace.catalogue.audit.list(action="backup.made")
    assert (made.subject, made.details["backup"]) == ("b.tar", manifest.id)


async def test_what_was_acknowledged_before_is_in_it_while_more_arrives(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_PAGE", 50)
    numbers, acknowledged = itertools.count(1), set[str]()

    async def keep_appending() -> None:
        while True:
            batch = [span(next(numbers)) for _ in range(5)]
            await workspace.traces.append(batch, [score(int(one.span_id, 16)) for one in batch])
            acknowledged.update(one.span_id for one in batch)
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as tasks:
        appending = tasks.create_task(keep_appending())
        await asyncio.sleep(0.5)
        before = set(acknowledged)
        file = await write(workspace, tmp_path / "b.tar")
        appending.cancel()
    assert len(before) > 20
    await restore(file, Settings(data=str(tmp_path / "again")), by="ada")
    async with open_workspace(Settings(data=str(tmp_path / "again")), {}, holder="a test") as restored:
        spans = [one.span_id for one in await restored.traces.spans(Question(limit=None))]
        scored = {one.span_id for one in await restored.traces.scores(Question(source="scores", limit=None))}
    assert len(spans) == len(set(spans))
    assert before <= set(spans)
    assert before <= scored
    assert len(acknowledged) > len(before), "more came meanwhile"


@pytest.mark.parametrize("key", [False, True])
async def test_the_key_is_in_it_only_when_asked_for(workspace: Workspace, tmp_path: Path, key: bool) -> None:
    file = await write(workspace, tmp_path / "b.tar", key=key)
    assert (workspace.key.reveal().encode() in read(file)) is key
    await restore(file, Settings(data=str(tmp_path / "again")), by="ada")
    async with open_workspace(Settings(data=str(tmp_path / "again")), {}, holder="a test") as restored:
        assert (restored.key.reveal() == workspace.key.reveal()) is key


async def test_weights_can_be_left_out(workspace: Workspace, tmp_path: Path) -> None:
    weights = workspace._blobs.put(b"weights")
    fill(workspace.catalogue)
    [model] = workspace.catalogue.models.list()
    workspace.catalogue.models.put(msgspec.structs.replace(model, sha256=weights))
    assert check_backup(await write(workspace, tmp_path / "a.tar")).blobs == 1
    assert check_backup(await write(workspace, tmp_path / "b.tar", weights=False)).blobs == 0


async def test_a_blob_that_was_damaged_already_is_named_and_left_out(workspace: Workspace, tmp_path: Path) -> None:
    good, bad = workspace._blobs.put(b"good"), workspace._blobs.put(b"bad")
    overwrite(Path(workspace._blobs.path(bad)), b"odd")
    file = await write(workspace, tmp_path / "b.tar")
    again = Settings(data=str(tmp_path / "again"))
    assert (await restore(file, again, by="ada")).damaged == (bad,)
    async with open_workspace(again, {}, holder="a test") as restored:
        assert set(restored._blobs.sizes()) == {good}


@pytest.fixture
async def backup(workspace: Workspace, tmp_path: Path) -> Path:
    await fill_all(workspace)
    return await write(workspace, tmp_path / "b.tar")


async def test_any_change_of_any_file_is_seen_and_nothing_restored(backup: Path, tmp_path: Path) -> None:
    content = read(backup)
    with tarfile.open(backup) as archive:
        places = {info.name: (info.offset_data, info.size) for info in archive if info.size}
    target = Settings(data=str(tmp_path / "again"))
    for name, (offset, size) in places.items():
        at = offset + size // 2
        overwrite(backup, content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(InvalidInput, match="no backup that can be trusted"):
            await restore(backup, target, by="ada")
        assert not target.folder.exists(), name
    overwrite(backup, content)
    await restore(backup, target, by="ada")


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.999])
async def test_a_backup_that_was_cut_short_is_none(backup: Path, tmp_path: Path, part: float) -> None:
    content = read(backup)
    overwrite(backup, content[: int((len(content) - 1024) * part)])
    with pytest.raises(InvalidInput, match="no backup that can be trusted"):
        await restore(backup, Settings(data=str(tmp_path / "again")), by="ada")
    assert not (tmp_path / "again").exists()


async def test_what_is_no_backup_is_said(tmp_path: Path) -> None:
    for content in (b"", b"a letter" * 1000, b"\0" * 10240):
        overwrite(tmp_path / "x.tar", content)
        with pytest.raises(InvalidInput, match="no backup that can be trusted"):
            check_backup(tmp_path / "x.tar")
    with pytest.raises(InvalidInput, match="No such file"):
        check_backup(tmp_path / "missing.tar")
    newer = Manifest(format=99, id="x", noria="9", created_ns=1, revision="9999")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        overwrite(tmp_path / "manifest.json", msgspec.json.encode(sealed(newer)))
        archive.add(tmp_path / "manifest.json", "manifest.json")
    with pytest.raises(InvalidInput, match="newer version"):
        check_backup(tmp_path / "x.tar")


async def test_traces_elsewhere_are_reached_by_another_road(backup: Path, tmp_path: Path) -> None:
    elsewhere = Settings(data=str(tmp_path / "again"), traces="clickhouse://127.0.0.1:1/noria")
    with pytest.raises(InvalidInput, match="noria migrate-store"):
        await restore(backup, elsewhere, by="ada")
    assert "again" not in names(tmp_path)


async def test_only_an_empty_folder_is_restored_into(backup: Path, workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="is not empty"):
        await restore(backup, workspace.settings, by="ada")
    (tmp_path / "empty").mkdir()
    await restore(backup, Settings(data=str(tmp_path / "empty")), by="ada")
    assert (tmp_path / "empty" / "catalogue.sqlite").exists()


@pytest.mark.parametrize("error", [StorageFull("The disk is full."), asyncio.CancelledError()])
async def test_a_restore_that_is_interrupted_leaves_nothing(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise error

    before = names(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(DuckDBTraces, "append", fail)
        with pytest.raises(type(error)):
            await restore(backup, Settings(data=str(tmp_path / "again")), by="ada")
    assert names(tmp_path) == before


@pytest.mark.postgres
async def test_a_catalogue_moves_to_postgres_by_a_backup_and_back(
    backup: Path, workspace: Workspace, tmp_path: Path, postgres_url: str
) -> None:
    there = Settings(data=str(tmp_path / "there"), catalogue=postgres_url)
    await restore(backup, there, by="ada")
    async with open_workspace(there, {}, holder="a test") as moved:
        assert await everything(moved) == await everything(workspace)
        moved.catalogue.apps.release("boolq", moved.catalogue.apps.releases("boolq")[1].shares, by="ada")
        moved.datasets.put("more", [Case(id="2", input={"text": "b"})])
        before = await everything(moved)
        second = await write(moved, tmp_path / "c.tar")
    with pytest.raises(Conflict, match="not empty"):
        await restore(backup, Settings(data=str(tmp_path / "other"), catalogue=postgres_url), by="ada")
    assert not (tmp_path / "other").exists()
    back = Settings(data=str(tmp_path / "back"))
    await restore(second, back, by="ada")
    async with open_workspace(back, {}, holder="a test") as returned:
        assert await everything(returned) == before
        assert returned.catalogue.audit.verify().whole


def forged(backup: Path, tmp_path: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """The backup with one file changed, by somebody who can make right digests."""
    unpacked = tmp_path / "unpacked"
    with tarfile.open(backup) as archive:
        archive.extractall(unpacked, filter="data")
    content = change(read(unpacked / name))
    overwrite(unpacked / name, content)
    manifest = msgspec.json.decode(read(unpacked / "manifest.json"), type=Manifest)
    right = BackupFile(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    changed = sealed(msgspec.structs.replace(manifest, files={**manifest.files, name: right}))
    overwrite(unpacked / "manifest.json", msgspec.json.encode(changed))
    with tarfile.open(tmp_path / "forged.tar", "w") as archive:
        for one in (*manifest.files, "manifest.json"):
            archive.add(unpacked / one, one)
    return tmp_path / "forged.tar"


async def test_a_backup_with_a_forged_audit_log_is_refused(backup: Path, tmp_path: Path) -> None:
    """Whoever can make right digests can still not make the chain right by changing one entry."""
    made = forged(backup, tmp_path, "catalogue/audit_log.jsonl", lambda log: log.replace(b"grace", b"nobody"))
    with pytest.raises(InvalidInput, match="audit log in the backup is not whole"):
        await restore(made, Settings(data=str(tmp_path / "again")), by="ada")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("name", ["spans/000001.jsonl.gz", "scores/000001.jsonl.gz"])
async def test_a_backup_whose_records_unpack_to_more_than_any_memory_is_refused(
    backup: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(put_back, "_LONGEST", 1 << 20)
    made = forged(backup, tmp_path, name, lambda _: gzip.compress(bytes(2 << 20)))
    with pytest.raises(InvalidInput, match="a line that no record has"):
        await restore(made, Settings(data=str(tmp_path / "again")), by="ada")
    assert not (tmp_path / "again").exists()
