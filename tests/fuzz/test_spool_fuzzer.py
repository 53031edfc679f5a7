"""The fuzzer of the spool's files runs for a moment; longer runs are for whoever changed their format."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from noria.stores.segments import frame

HERE = Path(__file__).parent


@pytest.mark.skipif(sys.platform != "linux", reason="atheris is for Linux")
def test_whatever_a_segment_holds_is_read_or_told(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "whole").write_bytes(b"\x00" + frame(b"one", 7, 0) + frame(b"two", 7, 15))
    done = subprocess.run(
        [sys.executable, str(HERE / "spool.py"), str(corpus), "-max_total_time=2", "-timeout=20"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done" in done.stderr
