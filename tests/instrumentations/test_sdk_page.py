"""The example of docs/sdk.md is run as it stands there, against a real server and a real model."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import KEY, Served
from .libraries import ROOT

pytestmark = [pytest.mark.model, pytest.mark.timeout(300)]

THROUGH_THE_GATEWAY = """
import os, noria
from openai import OpenAI
client = OpenAI(base_url=os.environ["NORIA_URL"] + "/v1", api_key=os.environ["NORIA_API_KEY"])
assert noria.headers() == {}
with noria.trace("plan"):
    client.chat.completions.create(
        model="local/smollm2-135m", messages=[{"role": "user", "content": "Hi"}], max_tokens=2, extra_headers=noria.headers()
    )
"""
PROMPT = {
    "blocks": [
        {"role": "system", "template": "Use: {% for passage in passages %}{{ passage }} {% endfor %}"},
        {"role": "user", "template": "{{ question }}"},
    ],
    "variables": {"question": {}, "passages": {"type": "list"}},
}


def test_the_example_of_the_page(served: Served, tmp_path: Path) -> None:
    pushed = served.ask("/api/prompts", {"name": "support", "prompt": PROMPT, "labels": ["production"]})
    [example] = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "sdk.md").read_text(), re.MULTILINE | re.DOTALL)
    program = tmp_path / "support.py"
    program.write_text(example)
    environ = os.environ | {"NORIA_URL": served.url, "NORIA_API_KEY": KEY, "OTEL_SERVICE_NAME": "support"}
    done = subprocess.run(
        [sys.executable, str(program)], env=environ, capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    spans = {span["name"]: span for span in served.ask("/api/traces?app=support")}
    assert set(spans) == {"answer", "look_up", "ask"}
    whole, found, asked = spans["answer"], spans["look_up"], spans["ask"]
    assert found["parent_id"] == asked["parent_id"] == whole["span_id"]
    assert {span["lineage"]["session_id"] for span in spans.values()} == {"s-17"}
    assert {span["lineage"]["user_id"] for span in spans.values()} == {"u-4"}
    assert (found["operation"], found["documents"][0]["id"]) == ("retrieval", "faq-4")
    assert whole["lineage"]["prompt_id"] == pushed["version"]["prompt_id"]
    assert whole["variables"]["question"] == "Is Perl's sort stable?"
    assert [(message["role"], message["content"]) for message in asked["input"]] == [
        ("system", "Use: Perl's sort is stable since 5.8. "),
        ("user", "Is Perl's sort stable?"),
    ]
    assert asked["output"][0]["content"] == whole["output"][0]["content"] != ""
    assert (asked["operation"], asked["request_model"]) == ("chat", "local/smollm2-135m")
    assert asked["input_tokens"] > 10
    assert asked["output_tokens"] > 0
    [score] = served.ask(f"/api/traces/{whole['trace_id']}")["scores"]
    assert (score["scorer"], score["span_id"]) == ("short", whole["span_id"])


def test_a_call_through_the_gateway_joins_the_trace(served: Served) -> None:
    environ = os.environ | {"NORIA_URL": served.url, "NORIA_API_KEY": KEY, "OTEL_SERVICE_NAME": "joined"}
    command = [sys.executable, "-c", THROUGH_THE_GATEWAY]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    [plan] = served.ask("/api/traces?app=joined")
    above, below = served.ask(f"/api/traces/{plan['trace_id']}")["spans"]
    assert (above["name"], below["name"]) == ("plan", "chat local/smollm2-135m")
    assert below["parent_id"] == above["span_id"]
