"""How the gateway stands, as the API tells it."""

from __future__ import annotations

from pathlib import Path

from serve.conftest import UPSTREAM_KEY, served
from serve.pages import GATEWAY, fill_gateway


async def test_the_gateway_tells_how_it_stands(tmp_path: Path) -> None:
    async with served(tmp_path / "data", **GATEWAY) as server:
        before = await server.get("/api/gateway")
        assert [(one["name"], one["ready"], one["models"]) for one in before["providers"]] == [
            ("up", True, []),
            ("far", True, []),
            ("keyless", False, []),
        ]
        await fill_gateway(server)
        found = await server.get("/api/gateway")
        response = await server.client.get("/api/gateway", headers={"authorization": "Bearer wrong"})
        assert response.status_code == 401
    providers = {one["name"]: one for one in found["providers"]}
    assert "NOBODY_SET_THIS_KEY" in providers["keyless"]["why_not"]
    [far] = providers["far"]["models"]
    assert (far["model"], far["breaker"], far["opened"], far["outstanding"]) == ("far/m", "open", 1, 0)
    assert providers["far"]["places"] == {"running": 0, "most": 40, "waiting": 0, "most_waiting": 100, "shed": 0}
    up = {one["model"]: one for one in providers["up"]["models"]}
    assert (up["up/m"]["breaker"], up["up/m"]["failed"]) == ("closed", 0)
    assert up["up/m"]["calls"] >= 1
    routes = {one["name"]: one for one in found["routes"]}
    assert (routes["gpt-4o"]["alias"], routes["gpt-4o"]["route"]["targets"]) == (True, ["up/m"])
    assert routes["split"]["route"]["weights"] == [9, 1]
    assert (found["cache"]["calls"], found["cache"]["policies"]["up/m"]["ttl_s"]) == ({"hit": 2, "miss": 1}, 86400)
    assert [one["findings"] for one in found["guards"]] == [{"redacted": 4}, {"flagged": 8}]
    assert UPSTREAM_KEY not in str(found)
