from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from serve.conftest import Noria


async def ended(noria: Noria, reference: str) -> dict[str, Any]:
    pull = await noria.post("/api/models", {"reference": reference})
    async with asyncio.timeout(20):
        while pull.get("stage") not in {"ready", "failed"}:
            pull = await noria.get(f"/api/models/pulls/{pull['id']}")
    found: dict[str, Any] = pull
    return found


async def test_pulls_that_fail_say_why(server: Noria, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.gguf"
    garbage.write_bytes(b"no weights")
    for reference in (f"file:{garbage}", f"file:{tmp_path}/none.gguf", "file:relative", "nobody-knows"):
        pull = await ended(server, reference)
        assert pull["stage"] == "failed", pull
        assert pull["error"]
        assert pull["error_code"]
    assert await server.get("/api/models") == []


async def test_models_that_are_not_there(noria: Noria) -> None:
    for method, path in (("POST", "/none/warm"), ("DELETE", "/none"), ("GET", "/pulls/none")):
        response = await noria.client.request(method, f"/api/models{path}")
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "unknown_name"
