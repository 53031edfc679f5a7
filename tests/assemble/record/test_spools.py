from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from noria.assemble import open_workspace
from noria.assemble.record.spools import spool_as
from noria.core.errors import StorageFull
from noria.core.spans import Span
from noria.settings import Settings
from noria.stores import disk
from noria.stores.segments import START

SPAN = Span(trace_id="a" * 32, span_id="b" * 16, name="step", start_ns=1, end_ns=2)


async def test_records_leave_the_megabytes_free_that_the_settings_name(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path / "data"), keep_free_mb=10**9)
    async with open_workspace(settings, {}, holder="a test") as workspace:
        with pytest.raises(StorageFull, match="1,000,000,000 MB have to stay free"):
            await workspace.traces.append([SPAN])
        assert workspace.numbers()["noria_spool_turned_away_total"] == 1
    settings = msgspec.structs.replace(settings, keep_free_mb=0)
    async with open_workspace(settings, {}, holder="a test") as workspace:
        await workspace.traces.append([SPAN])
        assert workspace.numbers()["noria_records_appended_total"] == 1


@pytest.mark.parametrize(("durability", "synced"), [("fsync", True), ("os", False)])
async def test_an_answer_means_what_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str, synced: bool
) -> None:
    files: list[int] = []
    for name in ("fsync", "fdatasync"):
        if hasattr(disk.os, name):
            monkeypatch.setattr(disk.os, name, lambda file: files.append(os.fstat(file).st_ino))
    settings = msgspec.convert({"data": str(tmp_path), "durability": durability}, Settings)
    spool = spool_as(settings)(tmp_path / "spool", taken=START)
    await spool.append(b"x")
    [segment] = (tmp_path / "spool").glob("*.spool")
    assert (segment.stat().st_ino in files) is synced
    spool.close()
