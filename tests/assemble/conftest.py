from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from noria.assemble import Workspace, open_workspace
from noria.core.prompts import Block, Prompt, Variable
from noria.core.requests import Parameters
from noria.engines.scripted import ScriptedEngine
from noria.settings import Provider, Settings

TRIAGE = Prompt(blocks=(Block(role="user", template="Sort: {{ text }}"),), variables={"text": Variable()})
"""A prompt with one variable."""


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncIterator[tuple[Settings, dict[str, str]]]:
    """Settings with a provider ``fake``: a real process that answers with the last message, or as it is told."""
    engine = ScriptedEngine(tmp_path / "engine", model="echo")
    endpoint = await engine.start()
    provider = Provider(base_url=endpoint.base_url, api_key_env="FAKE_KEY", attempts=1)
    keyless = Provider(base_url=endpoint.base_url, api_key_env="NOT_SET")
    yield (
        Settings(data=str(tmp_path / "data"), providers={"fake": provider, "keyless": keyless}),
        {"FAKE_KEY": endpoint.api_key},
    )
    await engine.stop()


@pytest.fixture
async def workspace(settings: tuple[Settings, dict[str, str]]) -> AsyncIterator[Workspace]:
    async with open_workspace(*settings, holder="a test") as opened:
        yield opened


def triage_app(workspace: Workspace, **variants: Prompt) -> None:
    """An app ``triage`` with variants of these names and prompts, on the provider ``fake``."""
    workspace.catalogue.apps.put("triage")
    for name, prompt in variants.items():
        version, _ = workspace.catalogue.prompts.push("triage", prompt, by="ann")
        variant = workspace.variants.make(
            model="fake/echo", prompt=f"triage@{version.version}", params=Parameters(temperature=0)
        )
        workspace.catalogue.apps.add_variant("triage", name, variant, by="ann")
