"""The importers' fuzzer runs for a few seconds, from real exports; longer runs are for whoever changed one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FIXTURES = HERE.parent / "bridges/fixtures"


def test_the_fuzzer_finds_nothing(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, path in enumerate(sorted(FIXTURES.glob("*/*.json*"))):
        for line, content in enumerate(path.read_bytes().splitlines()[:2]):
            (corpus / f"{number}-{line}").write_bytes(content)
    done = subprocess.run(
        [
            *(sys.executable, str(HERE / "importers.py"), str(corpus)),
            *("-max_total_time=2", "-timeout=20", "-rss_limit_mb=2048", "-max_len=6000"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done" in done.stderr
