"""Anthropic's wire with a real model at its end: its client through the gateway, and llama.cpp's own ``/v1/messages``."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import anthropic
import pytest

from engines.conftest import smollm2
from noria.core.folding import collect
from noria.core.messages import Message
from noria.core.requests import Parameters, Request
from noria.targets.egress import Egress
from noria.targets.remote import Remote
from noria.wires.anthropic import Anthropic

from .conftest import KEY, Noria

__all__ = ["smollm2"]

pytestmark = pytest.mark.model
ASK: dict[str, Any] = {
    "model": "local/tiny",
    "system": "You are terse.",
    "messages": [{"role": "user", "content": "Say hello."}],
    "max_tokens": 8,
    "extra_body": {"temperature": 0},  # the client has no argument for it any more
}
SAME = Request(
    model="llama/m",
    messages=(Message(role="system", content="You are terse."), Message(role="user", content="Say hello.")),
    params=Parameters(max_tokens=8, temperature=0),
)


async def test_a_real_model_behind_both_sides_of_the_wire(server: Noria, smollm2: Path) -> None:
    options = {"context": 512, "slots": 1}
    pull = await server.post("/api/models", {"reference": f"file:{smollm2}", "name": "tiny", "options": options})
    async with asyncio.timeout(60):
        while pull.get("stage") not in {"ready", "failed"}:
            pull = await server.get(f"/api/models/pulls/{pull['id']}")
    await server.post("/api/models/tiny/warm")
    async with anthropic.AsyncAnthropic(base_url=server.url, api_key=KEY, max_retries=0, timeout=60) as client:
        whole = await client.messages.create(**ASK)
        async with client.messages.stream(**ASK) as stream:
            streamed = await stream.get_final_message()
        asked = {name: ASK[name] for name in ("model", "system", "messages")}
        counted = await client.messages.with_raw_response.count_tokens(**asked)
    text = whole.content[0].to_dict()["text"]
    assert text
    assert streamed.content[0].to_dict()["text"] == text
    assert (whole.stop_reason, whole.usage.output_tokens) == ("max_tokens", 8)
    assert (streamed.stop_reason, streamed.usage.output_tokens) == ("max_tokens", 8)
    assert "noria-emulated" not in counted.headers
    prompt = whole.usage.input_tokens + (whole.usage.cache_read_input_tokens or 0)
    assert (await counted.parse()).input_tokens == prompt
    endpoint = await _endpoint(server)
    async with contextlib.aclosing(Egress()) as egress:
        for streams in (False, True):
            there = Remote(
                egress, Anthropic(), base_url=endpoint.base_url, api_key=endpoint.api_key, provider="llama",
                model=endpoint.model, stream=streams, kept=False,
            )  # fmt: skip
            reply = await collect(there.call(SAME))
            assert reply.text == text
            assert reply.choices[0].finish_reason == "length"
            assert reply.usage is not None
            assert (reply.usage.input_tokens, reply.usage.output_tokens) == (prompt, 8)
    assert (await server.delete("/api/models/tiny"))["name"] == "tiny"


async def _endpoint(server: Noria) -> Any:
    """Where the engine listens."""
    [model] = server.workspace.catalogue.models.list()
    return await server.workspace.calling.engines.engine(model).start()
