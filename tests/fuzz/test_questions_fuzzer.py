"""The fuzzer of questions runs for a few seconds, from real ones; longer runs are for whoever changed the language."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SEEDS = (
    b'\x00{"where":[{"column":"attributes.k","op":"in","value":[1,"x",null]}],"text":"chat \\"a b\\"","limit":5}',
    b'\x00{"scored":[{"scorer":"s","op":"<","value":0.5,"source":"code"}],"order":[{"column":"start_ns"}],"after":"lsQI"}',
    b'\x00{"group_by":["time","failed"],"bucket_s":60,"measures":[{"measure":"p95","column":"duration_s"}],"tolerance":0.01}',
    b'\x00{"source":"scores","columns":["value"],"since_ns":1,"until_ns":9223372036854775807,"offset":1}',
    b"\x01attributes.k>=1",
    b"\x01name~chat",
    b"\x02!s",
    b"\x02s<0.5",
    b"\x0390m",
    b"\x032026-11-23T06:00+01:00",
    b'\x04chat "a b" \xe4\xbd\xa0\xe5\xa5\xbd',
)


@pytest.mark.skipif(sys.platform != "linux", reason="atheris is for Linux")
def test_the_fuzzer_finds_nothing(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS):
        (corpus / str(number)).write_bytes(seed)
    done = subprocess.run(
        [
            sys.executable,
            str(HERE / "questions.py"),
            str(corpus),
            "-max_total_time=2",
            "-timeout=20",
            "-rss_limit_mb=2048",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done" in done.stderr
