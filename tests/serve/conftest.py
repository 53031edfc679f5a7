"""A workspace in a new folder, its one provider on a real socket, and its application: in this process, or served."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from noria.assemble import Workspace, open_workspace
from noria.serve.access import Access
from noria.serve.app import Application
from noria.serve.port import bind
from noria.serve.run import serving
from noria.settings import Provider, Settings
from noria.targets.scripted import answer
from targets import upstream

KEY = "noria_test_key_that_must_never_be_shown"
UPSTREAM_KEY = os.environ["NORIA_TEST_CANARY"]
"""The provider's key: at the end of the run it is looked for in everything that was written."""


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Noria:
    """Everything that a test of this room looks at."""

    workspace: Workspace
    access: Access
    client: httpx.AsyncClient
    """Sends the key."""
    upstream: upstream.Upstream
    clock: Clock = field(default_factory=Clock)
    url: str = ""

    async def get(self, path: str, **query: Any) -> Any:
        return await self._json("GET", path, params=query)

    async def post(self, path: str, body: Any = None) -> Any:
        return await self._json("POST", path, json=body)

    async def put(self, path: str, body: Any) -> Any:
        return await self._json("PUT", path, json=body)

    async def delete(self, path: str) -> Any:
        return await self._json("DELETE", path)

    async def spans(self) -> list[dict[str, Any]]:
        """Everything on record, oldest first, as the API shows it."""
        await self.workspace.calling.together.drain()
        return list(reversed(await self.get("/api/traces")))

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        response = await self.client.request(method, path, **options)
        assert response.is_success, response.text
        return response.json()


def hello(_: dict[str, Any]) -> Any:
    return answer("Hel", "lo")


@asynccontextmanager
async def opened(
    folder: Path, *, others: Mapping[str, Provider] | None = None, **more: Any
) -> AsyncIterator[tuple[Workspace, Access, upstream.Upstream, Clock]]:
    """A workspace with the provider ``up``, and ``others``."""
    clock = Clock()
    async with upstream.serving(hello) as provider:
        up = Provider(base_url=provider.base_url, api_key_env="UP_KEY", attempts=1)
        settings = Settings(data=str(folder), providers={"up": up, **(others or {})}, **more)
        environ = {"NORIA_API_KEY": KEY, "UP_KEY": UPSTREAM_KEY}
        async with open_workspace(settings, environ, holder="a test") as workspace:
            access = Access(workspace.key, ["noria.example"], clock, find=workspace.keyring.find)
            yield workspace, access, provider, clock


@pytest.fixture
async def noria(tmp_path: Path) -> AsyncIterator[Noria]:
    """The application, called in this process."""
    async with opened(tmp_path / "data") as (workspace, access, provider, clock):
        transport = httpx.ASGITransport(Application(workspace, access))
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:7700", headers=headers, timeout=60
        ) as client:
            yield Noria(workspace, access, client, provider, clock)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Noria]:
    """The application behind uvicorn, on a free port."""
    async with served(tmp_path / "data") as server:
        yield server


@asynccontextmanager
async def served(folder: Path, others: Mapping[str, Provider] | None = None, **more: Any) -> AsyncIterator[Noria]:
    """The application behind uvicorn, with the provider ``up``, and ``others``."""
    async with (
        opened(folder, others=others, **more) as (workspace, access, provider, clock),
        serving(workspace, bind("127.0.0.1", 0), access) as (running, _),
        httpx.AsyncClient(
            base_url=running.url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False, timeout=60
        ) as client,
    ):
        yield Noria(workspace, access, client, provider, clock, running.url)
