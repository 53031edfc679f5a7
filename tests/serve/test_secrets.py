"""A stored key goes to the provider that it was stored for, and to no other address."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path
from typing import Any

import msgspec
import pytest

from noria.assemble import open_workspace
from noria.core.errors import InvalidInput
from noria.core.folding import collect
from noria.core.messages import Message
from noria.core.requests import Request
from noria.settings import Provider, Settings
from targets import upstream

from .conftest import hello

ASK = Request(model="up/m", messages=(Message(role="user", content="hi"),))
MASTER = base64.b64encode(secrets.token_bytes(32)).decode()


async def test_a_stored_key_is_sent_to_the_address_it_was_stored_for_and_no_other(tmp_path: Path) -> None:
    async with upstream.serving(hello) as mine, upstream.serving(hello) as other:

        def settings(base_url: str, **more: Any) -> Settings:
            up = Provider(base_url=base_url, api_key_env="UP_KEY", attempts=1, **more)
            return Settings(data=str(tmp_path / "data"), providers={"up": up})

        environ = {"NORIA_SECRETS_KEY": MASTER}
        async with open_workspace(settings(mine.base_url), environ, holder="a test") as workspace:
            with pytest.raises(InvalidInput, match="needs its key in UP_KEY"):
                await collect(workspace.calling.target.call(ASK))
            workspace.provider_keys.put("up", "sk-stored", by="ada")
            await collect(workspace.calling.target.call(ASK))
        assert mine.headers[0]["Authorization"] == "Bearer sk-stored"
        async with open_workspace(settings(other.base_url), environ, holder="a test") as workspace:
            with pytest.raises(InvalidInput, match="was stored for"):
                await collect(workspace.calling.target.call(ASK))
        assert other.headers == []
        async with open_workspace(
            settings(other.base_url), environ | {"UP_KEY": "sk-env"}, holder="a test"
        ) as workspace:
            await collect(workspace.calling.target.call(ASK))
        assert other.headers[0]["Authorization"] == "Bearer sk-env", "the environment goes before what is stored"
        file = tmp_path / "key"
        file.write_text("sk-file\n")
        from_file = msgspec.structs.replace(settings(mine.base_url, api_key_file=str(file)))
        async with open_workspace(from_file, environ, holder="a test") as workspace:
            file.chmod(0o640)
            with pytest.raises(InvalidInput, match="others than its owner"):
                await collect(workspace.calling.target.call(ASK))
            file.chmod(0o600)
            await collect(workspace.calling.target.call(ASK))
        assert mine.headers[1]["Authorization"] == "Bearer sk-file"
