"""Stored responses are bounded, end with the record, and survive what others write onto it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from noria.core.retention import RetentionRule
from noria.core.spans import Span
from noria.serve import responses
from noria.wires.openai_responses.requests import STORED

from .conftest import Noria

DAY_NS = 86_400 * 10**9


async def create(noria: Noria, text: str = "hi", **more: Any) -> Any:
    body = {"model": "up/m", "input": text, **more}
    return await noria.client.post("/v1/responses", json=body)


async def status_of(noria: Noria, id: str) -> int:
    return (await noria.client.get(f"/v1/responses/{id}")).status_code


async def test_a_conversation_has_an_end(noria: Noria, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "MOST_TURNS", 3)
    monkeypatch.setattr(responses, "_AT_A_TIME", 2)
    id = (await create(noria)).json()["id"]
    for _ in range(3):
        id = (await create(noria, previous_response_id=id)).json()["id"]
    assert len(noria.upstream.bodies[-1]["messages"]) == 7
    refused = await create(noria, previous_response_id=id)
    assert refused.status_code == 400
    assert "has more than 3 responses" in refused.json()["error"]["message"]
    assert await status_of(noria, id) == 200
    monkeypatch.setattr(responses, "MOST_CHARACTERS", 100)
    large = (await create(noria, "x" * 200)).json()["id"]
    refused = await create(noria, previous_response_id=large)
    assert (refused.status_code, "more than 100 characters" in refused.text) == (400, True)


async def test_erasure_and_retention_reach_them(noria: Noria) -> None:
    anns = (await create(noria, user="ann")).json()["id"]
    bobs = (await create(noria, user="bob")).json()["id"]
    await noria.workspace.calling.together.drain()
    await noria.workspace.erasures.erase("ann")
    assert (await status_of(noria, anns), await status_of(noria, bobs)) == (404, 200)
    noria.workspace.catalogue.retention.put(RetentionRule(app="*", texts_days=1))
    later = noria.workspace.now() + 2 * DAY_NS
    noria.workspace.retention._now = lambda: later
    await noria.workspace.retention.run()
    assert await status_of(noria, bobs) == 404
    refused = await create(noria, previous_response_id=bobs)
    assert (refused.status_code, bobs in refused.text) == (404, True)


@pytest.mark.parametrize("written", ["{", "5", "[]", '{"id": 1}', '{"id": "ID", "model": "m", "input": 5}', 7])
async def test_what_others_write_there_is_no_response(noria: Noria, written: object) -> None:
    trace = "ab" * 16
    id = f"resp_{trace}"
    if isinstance(written, str):
        written = written.replace("ID", id)
    span = Span(trace_id=trace, span_id="cd" * 8, name="x", start_ns=1, end_ns=2)
    await noria.workspace.traces.append([msgspec.structs.replace(span, attributes={STORED: written})])
    assert await status_of(noria, id) == 404
    assert (await create(noria, previous_response_id=id)).status_code == 404
