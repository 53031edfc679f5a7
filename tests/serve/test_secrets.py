"""A stored key goes to the provider that it was stored for, and to no other address."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path
from typing import Any

import msgspec
import pytest

from noria.assemble import open_workspace
from noria.core.errors import CallRefused, InvalidInput
from noria.core.folding import collect
from noria.core.messages import Message
from noria.core.questions import Question
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
            with pytest.raises(InvalidInput, match="can't be read from its file") as raised:
                await collect(workspace.calling.target.call(ASK))
            assert "others than its owner" in raised.value.inside
            assert str(file) not in str(raised.value), "callers need not know where keys are"
            file.chmod(0o600)
            await collect(workspace.calling.target.call(ASK))
        assert mine.headers[1]["Authorization"] == "Bearer sk-file"


async def test_no_secret_that_the_server_knows_comes_back_in_an_error(tmp_path: Path) -> None:
    """A provider that repeats what it should not know: other providers' keys, the admin's, passwords of URLs and headers."""
    known = {
        "UP_KEY": "sk-of-up-1234",
        "OTHER_KEY": "sk-of-the-other",
        "NORIA_API_KEY": "noria-admin-key-of-this",
        "NORIA_SECRETS_KEY": MASTER,
        "SOME_TOKEN": "tok-of-something-else",
        "OPENAI_API_KEY": "sk-openai-well-known",
    }
    hidden = [*known.values(), "pass-in-url", "value-of-header", "stored-at-rest-1", "Zm9vOnBhc3MtaW4tdXJs"]
    said = " ".join(hidden)
    async with upstream.serving(lambda _: [CallRefused(f"What of {said}?", status=400)]) as mine:
        host = mine.base_url.partition("://")[2]
        providers = {
            "up": Provider(base_url=mine.base_url, api_key_env="UP_KEY", attempts=1),
            "other": Provider(
                base_url=mine.base_url, api_key_env="OTHER_KEY", headers={"X-Auth-Thing": "value-of-header"}
            ),
            "basic": Provider(base_url=f"http://foo:pass-in-url@{host}"),
            "stored": Provider(base_url=mine.base_url, api_key_env="STORED_KEY", attempts=1),
        }
        async with open_workspace(
            Settings(data=str(tmp_path / "data"), providers=providers), known, holder="a test"
        ) as workspace:
            workspace.provider_keys.put("stored", "stored-at-rest-1", by="ada")
            with pytest.raises(CallRefused) as caught:
                await collect(workspace.calling.target.call(ASK))
            [span] = await workspace.traces.spans(Question())
    for text in (str(caught.value), span.error_message or ""):
        assert not [secret for secret in hidden if secret in text]
        assert text.count("[key]") >= len(hidden) - 1
