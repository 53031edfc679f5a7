"""Guards as an installer leaves them behind: the built-ins', and a stranger's."""

from __future__ import annotations

import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parent / "plugin"
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "installed"
    shutil.copytree(PLUGIN / "noria_whisper", folder / "noria_whisper")
    points: dict[str, str] = {}
    for file in (PLUGIN / "pyproject.toml", ROOT / "pyproject.toml"):
        points |= tomllib.loads(file.read_text())["project"]["entry-points"]["noria.guards"]
    info = folder / "noria_whisper-1.2.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: noria-whisper\nVersion: 1.2.3\n")
    lines = "".join(f"{kind} = {value}\n" for kind, value in points.items())
    (info / "entry_points.txt").write_text(f"[noria.guards]\n{lines}")
    monkeypatch.syspath_prepend(str(folder))
    yield
    sys.modules.pop("noria_whisper", None)
