"""What keys were used for, from the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from noria.core.errors import CallFailed
from noria.core.prices import AgreedPrice
from noria.serve.app import Application

from .conftest import KEY, Noria, opened
from .test_limits import HI, key


async def test_use_by_key_and_by_day_and_model(tmp_path: Path) -> None:
    prices = {"up/dear": AgreedPrice(per_request=2.0), "up/cheap": AgreedPrice(per_request=0.5)}
    async with (
        opened(tmp_path / "data", prices=prices) as (workspace, access, upstream, clock),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(Application(workspace, access)),
            base_url="http://127.0.0.1",
            headers={"authorization": f"Bearer {KEY}"},
        ) as client,
    ):
        noria = Noria(workspace, access, client, upstream, clock)
        ann, bob = await key(noria, "ann"), await key(noria, "bob")

        async def ask(headers: dict[str, str], model: str) -> None:
            await client.post("/v1/chat/completions", json={"model": model, "messages": HI}, headers=headers)

        for headers, model in (
            (ann, "up/dear"),
            (ann, "up/cheap"),
            (ann, "up/cheap"),
            (ann, "up/none"),
            (bob, "up/cheap"),
        ):
            await ask(headers, model)
        await ask({}, "up/dear")
        upstream.script = lambda _: [CallFailed("Down.")]
        await ask(bob, "up/cheap")
        await noria.put("/api/limits", {"name": "none", "measure": "requests", "amount": 0, "of": "key", "who": "bob"})
        await ask(bob, "up/cheap")
        await workspace.calling.together.drain()

        def told(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
            return [tuple(row[name] for name in names) for row in rows]

        rows = await noria.get("/api/keys/usage")
        assert told(rows, "key", "calls", "failed", "refused", "cost_usd", "input_tokens", "time_ns", "model") == [
            ("ann", 4, 0, 0, 3.0, 28, None, None),
            ("bob", 3, 1, 1, 0.5, 7, None, None),
        ]
        mine = await noria.get("/api/keys/ann/usage")
        assert told(mine, "model", "calls", "cost_usd", "unpriced") == [
            ("up/dear", 1, 2.0, 0),
            ("up/cheap", 2, 1.0, 0),
            ("up/none", 1, None, 1),
        ]
        assert mine[0]["time_ns"] % (86_400 * 10**9) == 0
        assert await noria.get("/api/keys/ann/usage", until="2020-01-01") == []
        assert (await client.get("/api/keys/nobody/usage")).status_code == 404
        reader = await key(noria, "reader", permissions=["read"])
        for path in ("/api/keys/usage", "/api/keys/ann/usage"):
            assert (await client.get(path, headers=reader)).status_code == 403
