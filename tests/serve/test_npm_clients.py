"""The clients that npm has against the gateway: each of their dialects over one OpenAI-shaped provider."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from typing import Any

import pytest

from instrumentations.libraries import APPS, PLACE
from noria.core.events import Delta, Started, Stopped, ToolCallDelta, Used
from noria.core.replies import Usage
from noria.targets.scripted import answer
from targets.upstream import CUT

from .conftest import KEY, Noria

NODE = PLACE / "gateway_clients"
CLIENTS = (
    "openai",
    "@ai-sdk/openai, Chat Completions",
    "@ai-sdk/openai, Responses",
    "@ai-sdk/anthropic",
    "@ai-sdk/google",
)
CITY = {"city": "Hama", "wheels": 17}


def script(body: dict[str, Any]) -> Any:
    """What the prompt asks for; a tool's result is answered."""
    last = body["messages"][-1]
    said = last["content"] if isinstance(last["content"], str) else "".join(part["text"] for part in last["content"])
    if last["role"] == "tool":
        return answer(f"So: {said}")
    if "tool" in said:
        pieces = ['{"ci', 'ty": "Hama"}']
        return [
            Started(id="r", model="m"),
            Delta(tool_calls=(ToolCallDelta(index=0, id="call_1", name="get_weather"),)),
            *(Delta(tool_calls=(ToolCallDelta(index=0, arguments=piece),)) for piece in pieces),
            Stopped(reason="tool_calls"),
            Used(usage=Usage(input_tokens=3, output_tokens=4)),
        ]
    if "object" in said:
        return answer(json.dumps(CITY))
    if "cut" in said:
        return [Started(id="r", model="m"), Delta(text="Hel"), Delta(text="l"), CUT]
    return answer("Hel", "lo")


@pytest.mark.skipif(not NODE.exists(), reason="npm's clients are not there: make test installs them where node is")
async def test_streams_tools_schemas_and_broken_streams(server: Noria) -> None:
    server.upstream.script = script
    shutil.copy(APPS / "gateway_clients" / "app.mjs", NODE)
    environ = {"NORIA_URL": server.url, "NORIA_API_KEY": KEY, "MODEL": "up/m", "CLIENTS": ";".join(CLIENTS)}
    environ["PATH"] = os.environ["PATH"]
    node = await asyncio.create_subprocess_exec(
        "node", str(NODE / "app.mjs"), env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(node.communicate(), 60)
    assert node.returncode == 0, err.decode()[-2000:]
    seen = json.loads(out)
    assert set(seen) == set(CLIENTS)
    for client, saw in seen.items():
        assert "failed" not in saw, f"{client}: {saw['failed']}"
        assert saw["stream"]["text"] == "Hello", client
        assert saw["tool"]["results"] == ["Sunny in Hama."], client
        assert "Sunny in Hama." in saw["tool"]["text"], client  # Google's client wraps the result
        assert saw["object"] == CITY, client
        assert saw["cut"]["text"] == "Hell", client
        assert saw["cut"]["error"], f"{client} took a broken stream for a whole one"
        if client != "openai":
            assert saw["stream"]["finish"] == "stop", client
            assert saw["stream"]["usage"]["inputTokens"] > 0, client
            assert saw["cut"]["finish"] in {None, "error", "other"}, client
