"""The gateway with a real model behind it: SmolLM2 on llama.cpp, pulled and called through the API."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from engines.conftest import smollm2

from .conftest import KEY, Noria

__all__ = ["smollm2"]

pytestmark = pytest.mark.model
HI: list[Any] = [{"role": "user", "content": "Say hello."}]
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"enum": ["yes", "no"]}},
    "required": ["answer"],
    "additionalProperties": False,
}

CITY = {
    "type": "object",
    "properties": {"city": {"enum": ["Oslo", "Rome"]}},
    "required": ["city"],
    "additionalProperties": False,
}
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "weather", "description": "The weather now", "parameters": CITY}},
    {"type": "function", "function": {"name": "clock", "description": "The time now", "parameters": NOTHING}},
]


async def test_a_real_model_through_the_gateway(server: Noria, smollm2: Path) -> None:
    options = {"context": 512, "slots": 2}
    pull = await server.post("/api/models", {"reference": f"file:{smollm2}", "name": "tiny", "options": options})
    async with asyncio.timeout(60):
        while pull.get("stage") not in {"ready", "failed"}:
            pull = await server.get(f"/api/models/pulls/{pull['id']}")
    assert pull["stage"] == "ready", pull
    report = await server.post("/api/models/tiny/warm")
    assert report["engine"]["state"] == "ready"
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0, timeout=60) as client:
        assert [model.id async for model in client.models.list()] == ["local/tiny"]

        async def ask(**changes: Any) -> Any:
            call: dict[str, Any] = {"model": "local/tiny", "messages": HI, "max_tokens": 8, "seed": 1, "temperature": 0}
            return await client.chat.completions.create(**(call | changes))

        whole: ChatCompletion = await ask(logprobs=True, top_logprobs=2)
        text = whole.choices[0].message.content
        assert text
        assert whole.choices[0].finish_reason == "length"
        assert whole.usage is not None
        assert whole.usage.completion_tokens == 8
        assert whole.choices[0].logprobs is not None
        assert whole.choices[0].logprobs.content
        assert "".join(token.token for token in whole.choices[0].logprobs.content) == text
        pieces = [chunk async for chunk in await ask(stream=True, stream_options={"include_usage": True})]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in pieces if chunk.choices) == text
        assert pieces[-1].usage.completion_tokens == 8
        asked = {"type": "json_schema", "json_schema": {"name": "r", "schema": SCHEMA, "strict": True}}
        bound = await ask(response_format=asked, max_tokens=30)
        assert json.loads(bound.choices[0].message.content)["answer"] in {"yes", "no"}
        forced = await ask(tools=TOOLS, tool_choice="required", max_tokens=80)
        [call] = forced.choices[0].message.tool_calls
        assert forced.choices[0].finish_reason == "tool_calls"
        assert call.function.name in {"weather", "clock"}
        assert isinstance(json.loads(call.function.arguments), dict)
        stopped = await ask(stop=[text.split()[-1]], max_tokens=30)
        assert text.split()[-1] not in stopped.choices[0].message.content
        with pytest.raises(openai.BadRequestError):
            await ask(messages=[{"role": "user", "content": "word " * 2000}])
        async with await ask(stream=True, max_tokens=400, extra_body={"ignore_eos": True}) as stream:
            await anext(stream)
    async with asyncio.timeout(10):
        while len(spans := await server.spans()) < 7:
            pass
    assert [span.get("status", "ok") for span in spans] == ["ok"] * 5 + ["error", "cancelled"]
    assert spans[1]["ttft_s"] > 0
    assert spans[1]["tpot_s"] > 0
    assert spans[1]["cost_usd"] == 0
    assert (await server.delete("/api/models/tiny"))["name"] == "tiny"
    assert await server.get("/api/models") == []
