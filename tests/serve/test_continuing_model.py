"""An answer that breaks off at a provider is gone on with by a real model: SmolLM2 on llama.cpp."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from engines.conftest import smollm2
from noria.core.routes import Route
from noria.targets.scripted import answer
from targets.upstream import CUT

from .conftest import KEY
from .test_failing import opened

__all__ = ["smollm2"]

pytestmark = pytest.mark.model
ASK: list[Any] = [{"role": "user", "content": "Count from one to ten in words, separated by commas."}]


async def test_a_local_model_goes_on_where_a_provider_broke_off(tmp_path: Path, smollm2: Path) -> None:
    route = Route(targets=("one/a", "local/tiny"), may_continue=True)
    async with opened(tmp_path, routes={"safe": route}) as noria:
        async with asyncio.timeout(60):
            await asyncio.to_thread(pulled, noria.url, smollm2)
            noria.one.script = lambda _: [*answer("One, two, three, four,")[:2], CUT]
            stream = await noria.client.chat.completions.create(
                model="safe", messages=ASK, stream=True, max_tokens=24, temperature=0, seed=1
            )
            pieces = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        said = "".join(pieces)
        assert said.startswith("One, two, three, four, five, six, seven")
        assert "one, two" not in said.lower()[4:]  # it went on, and did not begin anew
        [span] = [span for span in await noria.spans() if span["attributes"].get("noria.route")]
        assert (span["provider"], span["attributes"]["noria.continued"]) == ("local", [22])


def pulled(url: str, weights: Path) -> None:
    """Pull the model through the API, and wait until it is there."""
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {KEY}"}) as client:
        body = {"reference": f"file:{weights}", "name": "tiny", "options": {"context": 512, "slots": 1}}
        pull = client.post("/api/models", json=body).json()
        while pull.get("stage") not in {"ready", "failed"}:
            time.sleep(0.05)
            pull = client.get(f"/api/models/pulls/{pull['id']}").json()
        assert pull["stage"] == "ready", pull
