"""Calls to Bedrock that are signed: what arrives at a server is signed again by botocore, and has to come out the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from noria.assemble import open_workspace
from noria.assemble.providers.aws import bedrock_signer
from noria.core.errors import InvalidInput
from noria.core.folding import collect
from noria.core.messages import Message
from noria.core.requests import Request
from noria.settings import Provider, Settings
from wires.recordings import recorded

ASK = Request(model="aws/eu.anthropic.claude-v2:0", messages=(Message(role="user", content="hi"),), stream=False)
SIGNED = ("X-Amz-Date", "X-Amz-Security-Token")


class Again(SigV4Auth):
    """Signs with the date that came."""

    def _set_necessary_date_headers(self, request: Any) -> None:
        request.context["timestamp"] = request.headers["X-Amz-Date"]


async def test_what_arrives_is_what_was_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    seen: list[tuple[str, dict[str, str], bytes]] = []

    async def converse(request: web.Request) -> web.Response:
        seen.append((request.raw_path, dict(request.headers), await request.read()))
        return web.Response(body=recorded("bedrock/text.json"), content_type="application/json")

    app = web.Application()
    app.router.add_post("/{path:.*}", converse)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    settings = Settings(data=str(tmp_path), providers={"aws": Provider(base_url=base, kind="bedrock")})
    async with open_workspace(settings, {}, holder="a test") as workspace:
        assert (await collect(workspace.calling.target.call(ASK))).text.startswith("Grüße")
    await runner.cleanup()
    [(path, headers, body)] = seen
    assert path == "/model/eu.anthropic.claude-v2%3A0/converse"
    assert "/eu-central-1/bedrock/aws4_request" in headers["Authorization"]
    assert headers["X-Amz-Security-Token"] == "session"
    again = AWSRequest("POST", base + path, data=body, headers={name: headers[name] for name in SIGNED})
    Again(Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI", "session"), "bedrock", "eu-central-1").add_auth(again)
    assert again.headers["Authorization"] == headers["Authorization"]


def test_the_region_is_the_base_urls() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        sign = bedrock_signer(Provider(base_url="https://bedrock-runtime.ap-south-1.amazonaws.com", kind="bedrock"))
        assert sign is not None
        assert "/ap-south-1/bedrock/" in sign("/model/m/converse", b"{}")["Authorization"]


def test_without_a_key_of_either_kind_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    sign = bedrock_signer(Provider(base_url="https://bedrock-runtime.us-east-1.amazonaws.com", kind="bedrock"))
    assert sign is not None
    with pytest.raises(InvalidInput, match="no access key is there"):
        sign("/model/m/converse", b"{}")
    assert bedrock_signer(Provider(base_url="https://x", kind="bedrock", api_key_env="KEY")) is None
