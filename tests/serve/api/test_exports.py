from __future__ import annotations

import json
from typing import Any

import httpx
import msgspec
import pytest

from bridges.records import score, span
from noria.core.struct import spelt_out
from serve.conftest import Noria


def body(numbers: range, scored: range = range(0)) -> dict[str, Any]:
    return {
        "spans": [spelt_out(span(number)) for number in numbers],
        "scores": [spelt_out(score(number)) for number in scored],
    }


async def test_the_same_records_again_change_nothing(noria: Noria) -> None:
    sent = body(range(12), range(3))
    assert await noria.post("/api/traces/import", sent) == {"spans": 12, "scores": 3, "repeated": 0, "homeless": 0}
    before = (await noria.client.get("/api/traces/export")).text
    assert await noria.post("/api/traces/import", sent) == {"spans": 12, "scores": 0, "repeated": 3, "homeless": 0}
    after = (await noria.client.get("/api/traces/export")).text
    assert sorted(before.splitlines()) == sorted(after.splitlines())
    assert len(before.splitlines()) == 12


async def test_a_score_that_names_only_its_span_finds_the_trace(noria: Noria) -> None:
    await noria.post("/api/traces/import", body(range(2)))
    loose = [spelt_out(score(1, trace_id="")), spelt_out(score(5, trace_id=""))]
    taken = await noria.post("/api/traces/import", {"scores": loose})
    assert taken == {"spans": 0, "scores": 1, "repeated": 0, "homeless": 1}
    assert [found["span_id"] for found in (await noria.get(f"/api/traces/{1:032x}"))["scores"]] == [f"{2:016x}"]


async def test_what_comes_out_is_what_went_in_also_in_parts(noria: Noria) -> None:
    await noria.post("/api/traces/import", body(range(25), range(25)))
    lines = (await noria.client.get("/api/traces/export", params={"app": "odd"})).text.splitlines()
    assert {json.loads(line)["app"] for line in lines} == {"odd"}
    assert len(lines) == 12
    page = await noria.get("/api/traces/export/page", limit=10)
    assert len(page["spans"]) == len(page["scores"]) == 10
    assert page["more"]
    rest = await noria.get("/api/traces/export/page", limit=100, after=page["cursor"])
    assert len(rest["spans"]) == 15
    window = {"since_ns": span(3).start_ns, "until_ns": span(5).start_ns}
    assert [one["name"] for one in (await noria.get("/api/traces/export/page", **window))["spans"]] == [
        "chat 3",
        "chat 4",
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"trace_id": "0" * 32}, "not all zero"),
        ({"trace_id": "XY" * 16}, "32 hex digits"),
        ({"span_id": ""}, "16 hex digits"),
        ({"end_ns": 1}, "ends before it starts"),
        ({"input_tokens": -1}, "input_tokens is -1"),
        ({"start_ns": 2**64 - 1, "end_ns": 2**64 - 1}, "start_ns"),
    ],
)
async def test_what_can_t_be_kept_is_refused_whole(noria: Noria, change: dict[str, Any], sentence: str) -> None:
    sent = body(range(2))
    sent["spans"][1] |= change
    response = await noria.client.post("/api/traces/import", content=msgspec.json.encode(sent))
    assert response.status_code == 400
    assert sentence in response.json()["error"]["message"]
    assert await noria.get("/api/traces") == []


async def test_large_contents_go_to_the_blob_store(noria: Noria) -> None:
    large = "word " * 200_000
    sent = body(range(1))
    sent["spans"][0] |= {"input": [{"role": "user", "content": large}], "attributes": {"page": large, "small": "x"}}
    for _ in range(2):
        assert (await noria.post("/api/traces/import", sent))["spans"] == 1
    [one] = (await noria.get(f"/api/traces/{1:032x}"))["spans"]
    [part] = one["input"][0]["content"]
    assert (part["type"], part["bytes"]) == ("blob", len(large))
    assert one["attributes"]["page"]["blob"] == part["sha256"]
    assert one["attributes"]["small"] == "x"
    assert (await noria.client.get(f"/api/blobs/{part['sha256']}")).text == large
    [whole] = (await noria.get("/api/traces/export/page", with_blobs=True))["spans"]
    assert whole["input"][0]["content"] == whole["attributes"]["page"] == large
    line = (await noria.client.get("/api/traces/export", params={"with_blobs": True})).text
    assert json.loads(line)["input"][0]["content"] == large
    assert json.loads((await noria.client.get("/api/traces/export")).text)["input"][0]["content"][0]["type"] == "blob"


async def test_a_wrong_cursor_is_refused(noria: Noria) -> None:
    response = await noria.client.get("/api/traces/export/page", params={"after": "elsewhere"})
    assert response.status_code == 400


async def test_a_stream_that_breaks_does_not_end_as_if_it_were_whole(
    server: Noria, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.post("/api/traces/import", body(range(3)))
    whole = server.workspace.exchange.lines

    async def broken(selection: Any, **_: Any) -> Any:
        async for piece in whole(selection):
            yield piece
            raise RuntimeError("a defect")

    monkeypatch.setattr(server.workspace.exchange, "lines", broken)
    with pytest.raises(httpx.RemoteProtocolError):
        await server.client.get("/api/traces/export")
