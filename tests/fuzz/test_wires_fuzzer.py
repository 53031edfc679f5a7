"""The wires' fuzzer runs for a few seconds, from recorded replies; longer runs are for whoever changed a codec."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RECORDED = HERE.parent / "wires/recorded"
FOLDERS = {"openai_chat": 0, "openai_responses": 3, "anthropic": 5, "google": 6, "cohere": 8, "bedrock": 9, "tgi": 10}
"""The place of each recording's wire in ``wires.any_bytes.OUTS``."""


def test_the_fuzzer_finds_nothing(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for folder, number in FOLDERS.items():
        for caller, path in enumerate(sorted((RECORDED / folder).glob("*.*"))):
            (corpus / f"{folder}-{path.name}").write_bytes(bytes([1, number, 0, caller % 4]) + path.read_bytes()[:4000])
    for number in range(11):
        body = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}],"input":"a","contents":[{"parts":[{"text":"a"}]}]}'
        (corpus / f"call-{number}").write_bytes(bytes([0, number, number, 0]) + body)
    done = subprocess.run(
        [
            *(sys.executable, str(HERE / "wires.py"), str(corpus)),
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
