"""``noria limits`` and ``noria budgets``; and two servers that share one limit."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path

import aiohttp
import pytest
from noria_cli import Noria

sys.path.insert(0, str(Path(__file__).parent.parent))  # pytest puts only a test's own folder there

from postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]
KEY = "noria_shared_key_of_this_test"


def test_limits_and_budgets_from_the_command_line(noria: Noria) -> None:
    noria.here("keys", "create", "bot")
    said = noria.here("limits", "set", "rpm", "--requests", "600/minute", "--key", "bot").stdout
    assert re.search(r"rpm: at most 600 requests a minute for key bot \([0-9a-f]{12}\)", said)
    assert "for each user" in noria.here("limits", "set", "fair", "--tokens", "9/day", "--each", "user").stdout
    assert "$500 a month for team care" in noria.here("budgets", "set", "care", "500/month", "--team", "care").stdout
    listed = noria.here("limits", "list").stdout
    assert "key bot (" in listed
    assert [name in listed for name in ("rpm", "fair", "care")] == [True] * 3
    refused = noria.here("budgets", "remove", "rpm")
    assert (refused.exit_code, "rpm is no budget" in refused.stderr) == (2, True)
    assert "limits nothing any more" in noria.here("budgets", "remove", "care").stdout
    for wrong in (
        ["x", "--requests", "5/minute"],
        ["x", "--requests", "5", "--all"],
        ["x", "--requests", "inf/minute", "--all"],
        ["x", "--requests", "5/week", "--all"],
        ["x", "--all"],
        ["x", "--requests", "1/day", "--tokens", "1/day", "--all"],
        ["x", "--requests", "1/day", "--all", "--team", "a"],
    ):
        assert noria.here("limits", "set", *wrong).exit_code == 2, wrong
    assert "No budgets" in noria.here("budgets", "list").stdout
    assert "No budgets" in noria.here("budgets").stdout
    assert noria.here("limits").stdout == noria.here("limits", "list").stdout
    assert [one["limit"]["name"] for one in noria.json("limits")] == ["fair", "rpm"]
    assert "Usage" in noria.here("limits", "--help").stdout


@pytest.mark.postgres
async def test_two_servers_share_one_limit_to_the_last_call(noria: Noria, postgres_url: str) -> None:
    noria.environ |= {"NORIA_API_KEY": KEY, "NORIA_CATALOGUE": postgres_url}
    made = await asyncio.to_thread(noria.run, "limits", "set", "cap", "--requests", "30/day", "--all")
    assert made.returncode == 0, made.stderr
    servers = [
        noria.start("up", "--port", "0", "--data", noria.folder.parent / name, measured=False) for name in ("a", "b")
    ]
    statuses: list[int] = []
    try:
        urls = []
        for server in servers:
            assert server.stdout is not None
            urls.append(re.findall(r"http://[0-9.:]+", server.stdout.readline())[0])
        body: dict[str, object] = {"model": "fake/m", "messages": [{"role": "user", "content": "good"}]}
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:

            async def call(url: str) -> None:
                async with session.post(f"{url}/v1/chat/completions", json=body) as response:
                    statuses.append(response.status)

            await asyncio.gather(*(call(url) for url in urls * 20))
            assert statuses.count(200) <= 30
            async with asyncio.timeout(20):  # what one holds and does not use comes back within a second or two
                while statuses.count(200) < 30:
                    await asyncio.sleep(0.3)
                    await call(urls[0])
            await asyncio.gather(*(call(url) for url in urls * 2))
            changed = {"name": "anns", "measure": "requests", "amount": 9, "of": "user", "who": "ann"}
            body["user"] = "ann"
            async with session.put(f"{urls[0]}/api/limits", json=changed) as response:
                assert response.status == 200
            async with session.delete(f"{urls[0]}/api/limits/cap") as response:
                assert response.status == 200
            async with asyncio.timeout(20):  # what one server is told, the other one knows within seconds
                while True:
                    async with session.post(f"{urls[1]}/v1/chat/completions", json=body) as response:
                        if response.headers.get("x-ratelimit-limit-requests") == "9":
                            assert response.status == 200
                            break
                    await asyncio.sleep(0.3)
    finally:
        for server in servers:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=60)
    assert statuses.count(200) == 30
    assert set(statuses) == {200, 429}
