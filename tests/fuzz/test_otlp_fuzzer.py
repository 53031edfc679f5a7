"""Each fuzzer runs for a few seconds, from a few seeds; longer runs are for whoever changed a decoder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bridges.otlp.payloads import as_json, request

HERE = Path(__file__).parent
SEEDS = (
    request(
        {
            "attributes": {
                "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"a"}]}]',
                "llm.input_messages.0.message.role": "user",
                "gen_ai.prompt.0.tool_calls.0.name": "f",
                "ai.response.toolCalls": '[{"toolCallId":"1"}]',
                "langfuse.observation.usage_details": '{"input":1}',
                "mlflow.spanInputs": '{"messages":[]}',
                "n": [1, 0.5, True, b"x", {"a": "b"}],
            },
            "events": [
                ("gen_ai.choice", {"message": "{}"}),
                ("gen_ai.evaluation.result", {"gen_ai.evaluation.name": "a"}),
            ],
        },
        resource={"service.name": "s"},
    ),
    request({"trace_id": "", "end_ns": 1}),
)


@pytest.mark.skipif(sys.platform != "linux", reason="atheris is for Linux")
@pytest.mark.parametrize("fuzzer", ["otlp_decoder.py"])
def test_fuzzers_find_nothing(fuzzer: str, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS):
        (corpus / f"{number}.pb").write_bytes(b"\x00" + seed.SerializeToString())
        (corpus / f"{number}.json").write_bytes(b"\x02" + json.dumps(as_json(seed)).encode())
    done = subprocess.run(
        [sys.executable, str(HERE / fuzzer), str(corpus), "-max_total_time=2", "-timeout=20", "-rss_limit_mb=2048"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done" in done.stderr
