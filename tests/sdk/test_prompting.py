from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from opentelemetry import trace as otel

import noria
from noria.core.errors import InvalidInput, NotAllowed, Unavailable, UnknownName
from noria.core.prompts import Block, Prompt, PromptVersion, Variable
from noria.sdk.connection import Connection
from noria.sdk.prompts import Prompts
from serve.conftest import KEY, Noria, server

from .collector import Collector, Reply, attributes

__all__ = ["server"]

TEMPLATE = Prompt(
    blocks=(
        Block(role="system", template="Answer in {{ language }}."),
        Block(role="conversation"),
        Block(role="user", template="{{ question }}"),
    ),
    variables={"question": Variable(), "language": Variable(required=False, default="English")},
)


def version(number: int, prompt: Prompt = TEMPLATE) -> PromptVersion:
    return PromptVersion(name="support", version=number, prompt_id=prompt.id, prompt=prompt)


def answering(current: Callable[[], PromptVersion | int]) -> Callable[[str, int], Reply]:
    def answer(path: str, _number: int) -> Reply:
        if not path.startswith("/api/prompts/"):
            return 200, {}, b""
        found = current()
        if isinstance(found, int):
            return found, {}, b'{"error":{"code":"x","message":"no","kept":"","hint":""}}'
        return 200, {}, msgspec.json.encode(found)

    return answer


async def test_a_prompt_of_a_real_server(server: Noria) -> None:
    body = {"name": "support", "prompt": msgspec.to_builtins(TEMPLATE), "labels": ["production"]}
    pushed = (await server.post("/api/prompts", body))["version"]
    noria.configure(url=server.url, key=KEY)

    def use() -> None:
        said = [{"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "f"}}]}]
        filled = noria.prompt("support", label="production", question="Why?", conversation=said)
        assert filled.messages == [
            {"role": "system", "content": "Answer in English."},
            said[0],
            {"role": "user", "content": "Why?"},
        ]
        assert (filled.name, filled.version, filled.prompt_id) == ("support", 1, pushed["prompt_id"])
        assert noria.prompt("support", version=1, values={"question": "a", "language": "Thai"}).text.startswith(
            "Answer in Thai."
        )
        assert noria.prompt("support", version=pushed["prompt_id"], question="?").version == 1
        with pytest.raises(InvalidInput, match="no variable 'qestion'"):
            noria.prompt("support", qestion="Why?")
        with pytest.raises(InvalidInput, match="must be of type string"):
            noria.prompt("support", question=3)
        with pytest.raises(UnknownName):
            noria.prompt("support", label="nowhere", question="?", fallback="x")
        with pytest.raises(UnknownName):
            noria.prompt("a/b ?", question="?")
        noria.configure(url=server.url, key="wrong")
        with pytest.raises(NotAllowed):
            noria.prompt("support", question="?")

    await asyncio.to_thread(use)


def test_the_step_and_the_spans_within_are_linked(configured: Collector) -> None:
    configured.answer = answering(lambda: version(1))
    tracer = otel.get_tracer("an instrumentation")
    with noria.trace("answer"):
        with noria.prompt("support", question="Why?"), tracer.start_as_current_span("chat m"):
            pass
        with tracer.start_as_current_span("unrelated"):
            pass
    assert noria.flush()
    found = attributes(configured.named("answer"))
    assert found["noria.prompt_id"] == TEMPLATE.id
    assert json.loads(found["noria.variables"]) == {"question": "Why?"}
    assert attributes(configured.named("chat m"))["noria.prompt_id"] == TEMPLATE.id
    assert "noria.prompt_id" not in attributes(configured.named("unrelated"))


def test_without_capture_the_link_stays_and_the_values_go(collector: Collector) -> None:
    noria.configure(url=collector.url, capture=False)
    collector.answer = answering(lambda: version(1))
    with noria.trace("answer"):
        noria.prompt("support", question="SECRET")
    assert noria.flush()
    assert attributes(collector.named("answer"))["noria.prompt_id"] == TEMPLATE.id
    assert "SECRET" not in str(collector.spans)


def test_a_fallback_serves_where_noria_does_not(configured: Collector) -> None:
    configured.answer = answering(lambda: 503)
    with pytest.raises(Unavailable):
        noria.prompt("support", question="Why?")
    filled = noria.prompt("support", fallback="Q: {{ question }} {{ n + 1 }}", question="Why?", n=1)
    assert filled.messages == [{"role": "user", "content": "Q: Why? 2"}]
    assert filled.version == 0
    noria.configure(url="")
    with pytest.raises(Unavailable, match="no server is named"):
        noria.prompt("support", question="Why?")
    assert noria.prompt("support", fallback="x").text == "x"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_versions_are_kept_refreshed_beside_and_used_when_stale(collector: Collector) -> None:
    clock, serving = Clock(), [version(1)]
    state: list[PromptVersion | int] = [*serving]
    collector.answer = answering(lambda: state[0])
    prompts = Prompts(Connection(collector.url, "k", 5), 60, clock)

    def asked() -> int:
        return len(collector.requests)

    assert prompts.get("support", None).version == 1
    clock.now = 59
    state[0] = version(2)
    assert prompts.get("support", None).version == 1
    assert asked() == 1
    clock.now = 61
    assert prompts.get("support", None).version == 1, "nobody waits"
    end = time.monotonic() + 10
    while prompts.get("support", None).version == 1 and time.monotonic() < end:
        time.sleep(0.01)
    assert prompts.get("support", None).version == 2
    assert asked() == 2
    clock.now = 61 + 601
    state[0] = version(3)
    assert prompts.get("support", None).version == 3, "very old ones are fetched anew"
    clock.now += 601
    state[0] = 503
    assert prompts.get("support", None).version == 3, "and serve all the same while Noria is away"
    state[0] = 404
    with pytest.raises(UnknownName):
        prompts.get("support", None)
    collector.close()
    prompts.close()


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b"[1"])
def test_strangers_answers_are_no_prompts(collector: Collector, body: bytes) -> None:
    collector.answer = lambda *_: (200, {}, body)
    prompts = Prompts(Connection(collector.url, "k", 5), 60)
    with pytest.raises(Unavailable, match="answered with no prompt"):
        prompts.get("support", None)
    prompts.close()


def test_a_prompt_used_twice_at_once_keeps_its_blocks_apart(configured: Collector) -> None:
    configured.answer = answering(lambda: version(1))

    def names(**more: Any) -> list[str]:
        return [message["role"] for message in noria.prompt("support", question="q", **more).messages]

    assert names() == ["system", "user"]
    assert names(conversation=[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]) == [
        "system",
        "user",
        "assistant",
        "user",
    ]


FORKING = """
import os, noria
assert noria.prompt("support", question="a").version == 1
child = os.fork()
for n in range(50):
    assert noria.prompt("support", version=n % 5 + 1, question="b").messages
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_fork_shares_versions_and_no_connection(collector: Collector) -> None:
    collector.answer = answering(lambda: version(1))
    environ = os.environ | {"NORIA_URL": collector.url, "NORIA_API_KEY": "k"}
    done = subprocess.run([sys.executable, "-c", FORKING], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(collector.requests) == 11
