from __future__ import annotations

from typing import Any

import pytest
import structlog

from noria.core.errors import CallFailed, NoriaError, StorageFull, Unavailable
from serve.conftest import Noria

SHAPE = {"code", "message", "kept", "hint"}


async def test_every_failure_has_one_shape(noria: Noria) -> None:
    for method, path, body, status, code in (
        ("GET", "/api/nothing", None, 404, "unknown_name"),
        ("GET", "/api/", None, 404, "unknown_name"),
        ("GET", "/api/apps/x/y/z", None, 404, "unknown_name"),
        ("PATCH", "/api/apps", None, 405, "invalid_input"),
        ("POST", "/metrics", None, 405, "invalid_input"),
        ("GET", "/nothing", None, 404, "unknown_name"),
        ("POST", "/api/apps", b"", 400, "invalid_input"),
        ("POST", "/api/apps", b"{", 400, "invalid_input"),
        ("POST", "/api/apps", b"\xff", 400, "invalid_input"),
        ("POST", "/api/apps", b"[]", 400, "invalid_input"),
        ("POST", "/api/apps", b'{"name": "a", "surprise": 1}', 400, "invalid_input"),
        ("POST", "/api/apps", b"[" * 100_000, 400, "invalid_input"),
    ):
        response = await noria.client.request(method, path, content=body)
        assert (response.status_code, response.json()["error"]["code"]) == (status, code), (method, path, body)
        assert set(response.json()["error"]) == SHAPE


async def test_a_compressed_body_is_refused_as_such(noria: Noria) -> None:
    for path in ("/api/apps", "/v1/chat/completions"):
        response = await noria.client.post(path, content=b"\x1f\x8b", headers={"content-encoding": "gzip"})
        assert response.status_code == 415
        assert "content-encoding" in response.text


async def test_wrong_fields_are_named(noria: Noria) -> None:
    response = await noria.client.post("/api/monitors", json={"name": "x", "app": "y", "scorer": {"kind": 1}})
    assert "scorer.kind" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (Unavailable("Busy.", retry_after_s=2.5, kept="All is kept.", hint="Wait."), "3"),
        (StorageFull("Full."), "1"),
        (CallFailed("No.", retry_after_s=9), "9"),
        (CallFailed("No."), None),
    ],
)
async def test_errors_of_noria_arrive_whole(
    noria: Noria, monkeypatch: pytest.MonkeyPatch, error: NoriaError, wait: str | None
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(noria.workspace.catalogue.apps, "list", fail)
    for path in ("/api/apps", "/v1/models"):
        response = await noria.client.get(path)
        assert response.status_code == error.status
        assert response.headers.get("retry-after") == wait
        assert error.message in response.text
    found = (await noria.client.get("/api/apps")).json()["error"]
    assert found == {"code": error.code, "message": error.message, "kept": error.kept, "hint": error.hint}


async def test_a_defect_is_logged_and_not_shown(noria: Noria, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise LookupError("inside")

    monkeypatch.setattr(noria.workspace.catalogue.apps, "list", fail)
    for path in ("/api/apps", "/v1/models"):
        with structlog.testing.capture_logs() as logs:
            response = await noria.client.get(path)
        assert response.status_code == 500
        assert "inside" not in response.text
        [entry] = logs
        assert (entry["event"], entry["error"], entry["path"]) == ("serve.unexpected", "LookupError", path)
