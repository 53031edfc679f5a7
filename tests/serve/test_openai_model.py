"""A real model through the Responses wire, both ways: the gateway's own, and llama.cpp's as a provider of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest

from engines.conftest import smollm2
from noria.core.events import Raw
from noria.core.folding import collect, fold
from noria.core.messages import Message
from noria.core.requests import Parameters, Request
from noria.targets.remote import Remote
from noria.wires.openai_responses import NAME, OpenAIResponses

from .conftest import KEY, Noria

__all__ = ["smollm2"]

pytestmark = pytest.mark.model


async def test_a_real_model_through_responses(server: Noria, smollm2: Path) -> None:
    options = {"context": 512, "slots": 1}
    pull = await server.post("/api/models", {"reference": f"file:{smollm2}", "name": "tiny", "options": options})
    async with asyncio.timeout(60):
        while pull.get("stage") not in {"ready", "failed"}:
            pull = await server.get(f"/api/models/pulls/{pull['id']}")
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0, timeout=60) as client:
        asked: Any = {"model": "local/tiny", "input": "Say hello.", "max_output_tokens": 16, "temperature": 0}
        whole = await client.responses.create(**asked)
        events = [event async for event in await client.responses.create(**asked, stream=True)]
        assert whole.output_text
        assert events[-1].response.output_text == whole.output_text  # type: ignore[union-attr]
        more = await client.responses.create(**asked | {"input": "Again.", "previous_response_id": whole.id})
        assert more.usage is not None
        assert whole.usage is not None
        assert more.usage.input_tokens > whole.usage.input_tokens
    endpoint = await server.workspace.calling.engines.engine(server.workspace.catalogue.models.get("tiny")).start()
    remote = Remote(
        server.workspace.calling.answers._egress,
        OpenAIResponses(),
        base_url=endpoint.base_url,
        api_key=endpoint.api_key,
        provider="llama",
        model=endpoint.model,
        kept=False,
    )
    said = (Message(role="system", content="Be brief."), Message(role="user", content="Say hello."))
    request = Request(model="llama/tiny", messages=said, params=Parameters(max_tokens=16, temperature=0))
    streamed = await collect(remote.call(msgspec.structs.replace(request, stream=True)))
    in_one = await collect(remote.call(msgspec.structs.replace(request, stream=False)))
    assert streamed.text == in_one.text != ""
    assert streamed.usage is not None
    assert in_one.usage is not None
    assert streamed.usage.output_tokens == in_one.usage.output_tokens > 0
    assert streamed.model == in_one.model == "tiny"
    again = msgspec.structs.replace(request, wire=NAME, stream=True)
    passed = [event async for event in remote.call(again) if isinstance(event, Raw)]
    assert fold(passed).text == in_one.text
