"""The SDK and a real server: what becomes of spans, and that nothing is lost or doubled when the server is killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import noria
from noria.sdk import stats

KEY = "noria_test_key"


class Served:
    """``noria up`` on a port of its own, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("NORIA_")}
        self._environ = inherited | {"NORIA_DATA": str(folder / "data"), "NORIA_API_KEY": KEY}
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "noria.cli", "up", "--port", str(self.port)]
        self._process = subprocess.Popen(command, env=self._environ, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert "ready" in self._process.stdout.readline()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(timeout=30) == 0
        assert self._process.stdout is not None
        self._process.stdout.close()

    def ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        asked = urllib.request.Request(self.url + path, data=data, headers=headers)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.loads(answer.read())

    def count(self, source: str = "spans", **filters: str) -> int:
        where = [{"column": name, "value": value} for name, value in filters.items()]
        question = {"source": source, "where": where, "measures": [{"measure": "count"}]}
        return int(self.ask("/api/traces/query", question)["rows"][0][0])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("served"))
    yield made
    made.stop()


def test_what_is_traced_fills_the_columns(served: Served) -> None:
    noria.configure(url=served.url, key=KEY, app="support", linger_s=0.01)

    @noria.trace("look up", kind="retrieval")
    def look_up(question: str) -> list[Any]:
        return [{"id": "d1", "text": "Stable since 5.8.", "score": 0.9, "title": "sort"}]

    @noria.trace("get_weather", kind="tool")
    def get_weather(city: str) -> str:
        return f"Sunny in {city}."

    @noria.trace("ask", kind="chat")
    def ask(messages: list[dict[str, str]]) -> dict[str, Any]:
        message = {"role": "assistant", "content": "Yes."}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return {"model": "m-1", "choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}

    @noria.trace("answer")
    def answer(question: str) -> str:
        look_up(question)
        get_weather(city="Paris")
        ask([{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}])
        noria.score("short", True, reason="two letters")
        return "Yes."

    with noria.context(session="s1", user="u1"):
        answer("Is sort stable?")
    with (
        pytest.raises(ValueError, match="no"),
        noria.trace("broken", model="m", temperature=0.5, tier="free") as broken,
    ):
        raise ValueError("no")
    with contextlib.suppress(asyncio.CancelledError), noria.trace("dropped"):
        raise asyncio.CancelledError
    assert noria.score("helpful", False, trace_id=broken.trace_id, source="human")
    assert noria.flush()
    assert stats().spans.dropped == stats().scores.dropped == {}
    spans = {span["name"]: span for span in served.ask("/api/traces?app=support")}
    assert {name: span["operation"] for name, span in spans.items()} == {
        "answer": "step",
        "look up": "retrieval",
        "get_weather": "execute_tool",
        "ask": "chat",
        "broken": "step",
        "dropped": "step",
    }
    assert spans["dropped"]["status"] == "cancelled"
    for name in ("answer", "look up", "get_weather", "ask"):
        assert (spans[name]["lineage"]["session_id"], spans[name]["lineage"]["user_id"]) == ("s1", "u1")
        assert spans[name]["trace_id"] == spans["answer"]["trace_id"]
    assert spans["answer"]["output"][0]["content"] == "Yes."
    assert json.loads(spans["answer"]["input"][0]["content"]) == {"question": "Is sort stable?"}
    [document] = spans["look up"]["documents"]
    assert document == {"id": "d1", "text": "Stable since 5.8.", "score": 0.9, "metadata": {"title": "sort"}}
    assert spans["look up"]["input"][0]["content"] == "Is sort stable?"
    assert spans["get_weather"]["tool_name"] == "get_weather"
    assert spans["get_weather"]["input"][0]["tool_calls"][0]["arguments"] == '{"city":"Paris"}'
    assert spans["get_weather"]["output"][0]["content"] == "Sunny in Paris."
    assert [(m["role"], m["content"]) for m in spans["ask"]["input"]] == [
        ("system", "Be brief."),
        ("user", "Is sort stable?"),
    ]
    assert [(m["role"], m["content"]) for m in spans["ask"]["output"]] == [("assistant", "Yes.")]
    assert (spans["ask"]["response_model"], spans["ask"]["input_tokens"], spans["ask"]["output_tokens"]) == (
        "m-1",
        5,
        2,
    )
    assert spans["ask"]["finish_reasons"] == ["stop"]
    assert (spans["broken"]["status"], spans["broken"]["error_type"], spans["broken"]["error_message"]) == (
        "error",
        "ValueError",
        "no",
    )
    assert spans["broken"]["params"] == {"temperature": 0.5}
    assert spans["broken"]["attributes"]["tier"] == "free"
    by_scorer = {score["scorer"]: score for score in served.ask("/api/scores")}
    assert by_scorer["short"]["span_id"] == spans["answer"]["span_id"]
    assert by_scorer["helpful"]["span_id"] == spans["broken"]["span_id"]


def test_the_server_is_killed_and_comes_back(served: Served) -> None:
    noria.configure(url=served.url, key=KEY, app="load", linger_s=0.01)

    def work(count: int) -> None:
        for _ in range(count):
            with noria.trace("work") as span:
                noria.score("fine", True, span=span)

    work(1500)
    while stats().spans.sent == 0:
        time.sleep(0.002)
    served.kill()
    work(1500)
    time.sleep(0.3)
    counts = stats().spans
    assert counts.made == 3000 == counts.sent + counts.queued
    served.start()
    assert noria.flush(30)
    assert (stats().spans.sent, stats().scores.sent) == (3000, 3000)
    assert stats().spans.dropped == stats().scores.dropped == {}
    assert served.count(app="load") == 3000, "once each, those that were acknowledged before the kill too"
    assert served.count("scores", scorer="fine") == 3000


def test_a_wrong_key_is_counted_and_told(served: Served) -> None:
    noria.configure(url=served.url, key="wrong")
    with noria.trace("work"):
        noria.score("fine", True)
    assert noria.flush()
    assert stats().spans.dropped == stats().scores.dropped == {"refused": 1}
    assert "The key is wrong." in stats().spans.last_problem
