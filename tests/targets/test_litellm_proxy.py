"""LiteLLM's proxy, which nobody here wrote, as a Google-shaped and an Anthropic-shaped provider in front of a scripted one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from noria.core.errors import CallRefused
from noria.core.events import Delta, Started, Stopped, ToolCallDelta, Used
from noria.core.folding import collect
from noria.core.messages import Message
from noria.core.replies import Usage
from noria.core.requests import Parameters, Request, Tool
from noria.targets.egress import Egress
from noria.targets.remote import Remote
from noria.targets.scripted import answer
from noria.wires.anthropic import Anthropic
from noria.wires.google import Google
from noria.wires.wire import WireOut

from . import upstream

PLACE = Path(os.environ.get("NORIA_TEST_PROXIES") or Path(__file__).parents[2] / ".venv" / "proxies")
"""Made by scripts/proxies.sh."""
KEY = "sk-noria-test-9f3kd02mmx81qzpl47ty"
WIRES: dict[str, tuple[WireOut, str]] = {"google": (Google(), "/v1beta"), "anthropic": (Anthropic(), "/v1")}
CONFIG = """
model_list:
  - model_name: small
    litellm_params: {model: openai/small, api_base: os.environ/UP_URL, api_key: sk-up}
router_settings: {num_retries: 0, disable_cooldowns: true}
"""
WEATHER = Tool(name="get_weather", parameters={"type": "object", "properties": {"city": {"type": "string"}}})

pytestmark = [
    pytest.mark.proxies,
    pytest.mark.timeout(500),
    pytest.mark.skipif(not PLACE.exists(), reason=f"{PLACE} is not there: make test-proxies installs it"),
]


def script(body: dict[str, Any]) -> Any:
    last = body["messages"][-1]
    if last["role"] == "tool":
        return answer(f"So: {last['content']}")
    if body.get("tools"):
        opening = ToolCallDelta(index=0, id="call_1", name="get_weather")
        pieces = [ToolCallDelta(index=0, arguments=piece) for piece in ('{"city":', '"Hama"}')]
        return [
            Started(id="r", model="small"),
            *(Delta(tool_calls=(piece,)) for piece in [opening, *pieces]),
            Stopped(reason="tool_calls"),
            Used(usage=Usage(input_tokens=3, output_tokens=4)),
        ]
    return answer("Hel", "lo")


@contextlib.asynccontextmanager
async def litellm(up: str, folder: Path) -> AsyncIterator[str]:
    """A proxy in front of ``up``; its address."""
    (folder / "config.yaml").write_text(CONFIG)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environ |= {"UP_URL": up, "LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    environ |= {"LITELLM_USE_CHAT_COMPLETIONS_URL_FOR_ANTHROPIC_MESSAGES": "true"}
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(str(PLACE / "bin" / "litellm"), "--config", str(folder / "config.yaml")),
            *("--host", "127.0.0.1", "--port", str(port)),
            env=environ,
            stdout=log,
            stderr=log,
        )
    try:
        async with asyncio.timeout(400), httpx.AsyncClient(trust_env=False) as client:
            while process.returncode is None:
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"http://127.0.0.1:{port}/health/liveliness")).is_success:
                        break
                await asyncio.sleep(0.2)
        assert process.returncode is None, (folder / "log").read_text()[-2000:]
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def asked(*messages: Message, **fields: Any) -> Request:
    said = messages or (Message(role="user", content="Hi"),)
    return Request(model="litellm/small", messages=said, params=Parameters(max_tokens=50), **fields)


async def test_a_server_of_another_make_understands_what_is_sent(egress: Egress, tmp_path: Path) -> None:
    async with upstream.serving(script) as up, litellm(up.base_url, tmp_path) as proxy:
        for name, (wire, below) in WIRES.items():
            for stream in (True, False):
                up.bodies.clear()
                target = Remote(egress, wire, base_url=proxy + below, api_key=KEY, provider="litellm", stream=stream)
                said = await collect(target.call(asked(Message(role="system", content="Be brief."), *asked().messages)))
                assert (said.text, said.choices[0].finish_reason) == ("Hello", "stop"), name
                assert said.usage, name
                assert up.bodies[0]["messages"][0] == {"role": "system", "content": "Be brief."}, name
                assert up.bodies[0]["max_tokens"] == 50, name
                [choice] = (await collect(target.call(asked(tools=(WEATHER,), tool_choice="auto")))).choices
                assert choice.finish_reason == "tool_calls", name
                [call] = choice.message.tool_calls
                assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Hama"}), name
                assert up.bodies[1]["tools"][0]["function"]["parameters"] == WEATHER.parameters, name
                result = Message(role="tool", content="Sunny.", tool_call_id=call.id)
                later = await collect(target.call(asked(*asked().messages, choice.message, result, tools=(WEATHER,))))
                assert "Sunny." in later.text, name
                [sent] = up.bodies[2]["messages"][1]["tool_calls"]
                assert sent["id"] == up.bodies[2]["messages"][2]["tool_call_id"], name
        unknown = Remote(egress, Google(), base_url=f"{proxy}/v1beta", api_key=KEY, provider="litellm", model="nobody")
        with pytest.raises(CallRefused, match="Invalid model name"):
            await collect(unknown.call(asked()))
