from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from litestar.routes import HTTPRoute

from noria.core.errors import NotAllowed
from noria.serve import rest
from noria.serve.access import LINK_S, SESSION_S, Access, is_loopback, rule_of
from noria.serve.app import Application
from noria.settings import Secret

from .conftest import KEY, Clock, Noria

HOST = "127.0.0.1:7700"
RULES: dict[str, str | dict[str, str]] = {
    "/v1/chat/completions": "gateway",
    "/v1/messages": "gateway",
    "/v1/messages/count_tokens": "gateway",
    "/v1/embeddings": "gateway",
    "/v1/models": "gateway",
    "/v1/models/{model}": "gateway",
    "/v1/responses": "gateway",
    "/v1/responses/{id}": "gateway",
    "/v1/responses/{id}/input_items": "gateway",
    "/v1/rerank": "gateway",
    "/v2/rerank": "gateway",
    "/v1/traces": "ingest",
    "/v1/logs": "ingest",
    "/v1/metrics": "ingest",
    "/healthz": "public",
    "/readyz": "public",
    "/metrics": "read",
    "/login": "public",
    "/": "public",
    "/static/trace.js": "public",
    "/static/traces.js": "public",
    "/static/page.js": "public",
    "/static/style.css": "public",
    "/static/dom.js": "public",
    "/static/wheel.svg": "public",
    "/v1/{model}:batchEmbedContents": "gateway",
    "/v1/{model}:countTokens": "gateway",
    "/v1/{model}:embedContent": "gateway",
    "/v1/{model}:generateContent": "gateway",
    "/v1/{model}:streamGenerateContent": "gateway",
    "/v1beta/models": "gateway",
    "/v1beta/models/{model}": "gateway",
    "/v1beta/{model}:batchEmbedContents": "gateway",
    "/v1beta/{model}:countTokens": "gateway",
    "/v1beta/{model}:embedContent": "gateway",
    "/v1beta/{model}:generateContent": "gateway",
    "/v1beta/{model}:streamGenerateContent": "gateway",
    "/v1beta1/{model}:batchEmbedContents": "gateway",
    "/v1beta1/{model}:countTokens": "gateway",
    "/v1beta1/{model}:embedContent": "gateway",
    "/v1beta1/{model}:generateContent": "gateway",
    "/v1beta1/{model}:streamGenerateContent": "gateway",
    "/static/experiments.js": "public",
    "/static/sessions.js": "public",
    "/static/gateway.js": "public",
    "/static/keys.js": "public",
    "/static/replies.js": "public",
    "/api/apps": {"GET": "read", "POST": "admin"},
    "/api/apps/{name}": "read",
    "/api/apps/{name}/releases": {"GET": "read", "POST": "admin"},
    "/api/apps/{name}/rollback": "admin",
    "/api/apps/{name}/variants/{variant}": "admin",
    "/api/audit": "read",
    "/api/audit/verify": "read",
    "/api/backup": "admin",
    "/api/blobs/{sha256}": "read",
    "/api/datasets": {"GET": "read", "POST": "admin"},
    "/api/datasets/{ref}": "read",
    "/api/datasets/{ref}/cases": "read",
    "/api/erasures": {"GET": "read", "POST": "admin"},
    "/api/experiments": {"GET": "read", "POST": "admin"},
    "/api/experiments/check-scorer": "admin",
    "/api/experiments/{ref}": "read",
    "/api/experiments/{ref}/progress": "read",
    "/api/experiments/{ref}/stop": "admin",
    "/api/cache/calibrations": "admin",
    "/api/gateway": "read",
    "/api/gateway/doctor": "admin",
    "/api/intake/problems": "read",
    "/api/keys": "admin",
    "/api/keys/usage": "admin",
    "/api/keys/{ref}": "admin",
    "/api/keys/{ref}/revoke": "admin",
    "/api/keys/{ref}/rotate": "admin",
    "/api/keys/{ref}/usage": "admin",
    "/api/limits": {"GET": "read", "PUT": "admin"},
    "/api/limits/{name}": "admin",
    "/api/login-tokens": "admin",
    "/api/models": {"GET": "read", "POST": "admin"},
    "/api/models/pulls/{pull_id}": "read",
    "/api/models/{name}": "admin",
    "/api/models/{name}/warm": "admin",
    "/api/monitors": {"GET": "read", "POST": "admin"},
    "/api/monitors/failures": "read",
    "/api/monitors/{name}": "admin",
    "/api/openapi.json": "read",
    "/api/openapi.json/openapi.json": "read",
    "/api/openapi.json/{path}": "read",
    "/api/prices": "read",
    "/api/prices/unknown": "read",
    "/api/prompts": {"GET": "read", "POST": "admin"},
    "/api/prompts/{name}": "read or gateway",
    "/api/prompts/{name}/labels/{label}": "admin",
    "/api/prompts/{name}/versions": "read or gateway",
    "/api/retention": {"GET": "read", "PUT": "admin"},
    "/api/retention/run": "admin",
    "/api/retention/{app}": "admin",
    "/api/scorers": "read",
    "/api/scores": {"GET": "read", "POST": "ingest"},
    "/api/secrets": "admin",
    "/api/secrets/{provider}": "admin",
    "/api/server": "read",
    "/api/server/reload": "admin",
    "/api/sessions": "read",
    "/api/sessions/{session_id}": "read",
    "/api/traces": "read",
    "/api/traces/export": "read",
    "/api/traces/export/page": "read",
    "/api/traces/import": "admin",
    "/api/traces/query": "read",
    "/api/traces/stats": "read",
    "/api/traces/tail": "read",
    "/api/traces/{trace_id}": "read",
    "/api/traces/{trace_id}/otel": "read",
    "/api/users": "read",
    "/api/variants": "admin",
}
"""Every route with its rule. A new route fails the tests until somebody has thought about who may call it."""


def routes(noria: Noria) -> dict[str, set[str]]:
    """Every path that the application answers, with its methods."""
    application = Application(noria.workspace, noria.access)
    found = {path: set(methods) for path, methods in application.routes.items()}
    for route in rest.routes(noria.workspace.version).routes:
        assert isinstance(route, HTTPRoute)
        found[route.path_format] = {str(method) for method in route.methods}
    return found


async def ask(noria: Noria, method: str, path: str, headers: dict[str, str] | list[tuple[str, str]]) -> httpx.Response:
    """A request with these headers and no others of ours."""
    request = httpx.Request(method, "http://127.0.0.1:7700" + path, headers=headers)
    return await noria.client._transport.handle_async_request(request)  # type: ignore[return-value]


def rule(method: str, path: str) -> str:
    """Who may call it: the table's word, where a method has none of its own that of reading."""
    known = RULES[path]
    if isinstance(known, str):
        return known
    return known.get(method) or (known["GET"] if method in {"HEAD", "OPTIONS"} else "admin")


async def test_every_route_has_a_rule_and_obeys_it(noria: Noria) -> None:
    found = routes(noria)
    assert set(found) == set(RULES)
    for path, methods in found.items():
        for method in methods - {"OPTIONS"}:
            assert " or ".join(rule_of(method, path)) == rule(method, path), (method, path)
        if RULES[path] == "public":
            continue
        for method in methods | {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "MADE-UP"}:
            at = path.replace("{", "").replace("}", "")
            for headers in ({}, {"authorization": f"Bearer {KEY}x"}, {"authorization": f"Basic {KEY}"}):
                response = await ask(noria, method, at, headers)
                assert response.status_code == 401, (method, at, headers)
                assert response.headers["www-authenticate"] == "Bearer"
            foreign = {"authorization": f"Bearer {KEY}", "origin": "http://evil.example"}
            assert (await ask(noria, method, at, foreign)).status_code == 403
            assert (await ask(noria, method, at, foreign | {"host": "evil.example"})).status_code == 403


async def made(noria: Noria, name: str, *permissions: str, **more: Any) -> str:
    """A new virtual key."""
    asked = {"name": name, "permissions": permissions or ["gateway"], **more}
    return str((await noria.post("/api/keys", asked))["secret"])


async def test_every_permission_opens_its_own_routes_and_no_others(noria: Noria) -> None:
    for permission in ("gateway", "ingest", "read", "admin"):
        key = await made(noria, permission, permission)
        assert key not in (await noria.client.get("/api/keys")).text
        for path, methods in routes(noria).items():
            for method in methods - {"OPTIONS"}:
                allowed = permission == "admin" or permission in rule(method, path).split(" or ")
                if rule(method, path) == "public" or (allowed and "tail" in path):
                    continue
                if allowed and method not in {"GET", "HEAD"} and permission != "gateway":
                    continue  # what it would do is tested elsewhere
                at = path.replace("{", "").replace("}", "")
                response = await ask(noria, method, at, {"x-api-key": key})
                assert (response.status_code in {401, 403}) != allowed, (permission, method, at, response.status_code)
                if not allowed:
                    assert response.status_code == 403, "it is a key, only not for this"
                    told = json.loads(await response.aread()) if method != "HEAD" else {}
                    assert key not in json.dumps(told)


@pytest.mark.parametrize("path", ["/api//keys", "/api//keys/reader", "/api///secrets", "/api//backup", "//api/keys"])
async def test_more_slashes_open_no_more_routes(noria: Noria, path: str) -> None:
    key = await made(noria, "reader", "read")
    for spelt in (path, path.replace("//", "/%2F")):
        assert (await ask(noria, "GET", spelt, {"x-api-key": key})).status_code == 403
    assert (await ask(noria, "GET", path, {})).status_code == 401


async def test_a_key_is_good_from_its_making_to_its_end(noria: Noria) -> None:
    def status(key: str) -> Any:
        return ask(noria, "GET", "/api/server", {"authorization": f"Bearer {key}"})

    clock = noria.workspace.now
    key = await made(noria, "laptop", "read")
    assert (await status(key)).status_code == 200
    for wrong in (key[:-1], key + "x", key.replace(key[3:15], "0" * 12), key[:15], "nk_", key.upper()):
        assert (await status(wrong)).status_code == 401
    assert (await noria.get("/api/keys/laptop"))["last_used_ns"] <= clock()
    rotated = (await noria.post("/api/keys/laptop/rotate", {"overlap_s": 60}))["secret"]
    assert [(await status(one)).status_code for one in (key, rotated)] == [200, 200]
    again = (await noria.post("/api/keys/laptop/rotate", {}))["secret"]
    assert [(await status(one)).status_code for one in (key, rotated, again)] == [401, 401, 200]
    await noria.post("/api/keys/laptop/revoke")
    assert (await status(again)).status_code == 401
    assert (await noria.client.post("/api/keys/laptop/rotate", json={})).status_code == 400
    short = await made(noria, "laptop", "read", expires_ns=clock() + 300_000_000)
    assert (await status(short)).status_code == 200
    await asyncio.sleep(0.35)
    assert (await status(short)).status_code == 401
    told = [entry["action"] for entry in await noria.get("/api/audit", action="key.")]
    assert told == ["key.created", "key.revoked", "key.rotated", "key.rotated", "key.created"]
    assert "nk_" not in json.dumps(await noria.get("/api/audit")) + json.dumps(await noria.get("/api/keys"))


async def test_the_key_opens_routes(noria: Noria) -> None:
    for authorization in (f"Bearer {KEY}", f"bearer  {KEY} "):
        assert (await ask(noria, "GET", "/api/server", {"authorization": authorization})).status_code == 200
    assert (await ask(noria, "GET", "/api/server", {"x-api-key": KEY})).status_code == 200
    assert (await ask(noria, "GET", "/api/server", {"x-goog-api-key": KEY})).status_code == 200
    assert (await ask(noria, "GET", f"/api/server?key={KEY}", {})).status_code == 401
    for wrong in (
        {"x-goog-api-key": KEY + "x"},
        {"x-api-key": KEY + "x"},
        {"x-api-key": KEY, "authorization": "Bearer x"},
        {"x-api-key": ""},
    ):
        assert (await ask(noria, "GET", "/api/server", wrong)).status_code == 401


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:7700",
        "localhost:1",
        "LOCALHOST:7700",
        "[::1]:7700",
        "[::1]",
        "noria.example",
        "Noria.Example:443",
    ],
)
def test_names_of_this_server(host: str) -> None:
    access = Access(Secret(KEY), ["noria.example"])
    headers = {"authorization": f"Bearer {KEY}", "host": host}
    access.check("GET", "/api/server", headers)
    access.check("POST", "/api/server", headers | {"origin": f"http://{host}"})
    access.check("POST", "/api/server", headers | {"origin": f"HTTPS://{host}"})


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1:7700@evil.example",
        "evil@127.0.0.1:7700",
        "127.0.0.1:7700/evil",
        "127.0.0.1?evil",
        "127.0.0.1#evil",
        "127.0.0.1 evil.example",
        "127.0.0.1, evil.example",
        "127.0.0.1:port",
        "127.0.0.1:",
        "[::1",
        "[::2]:7700",
        "::1",
        "127.0.0.2",
        "2130706433",
        "localhost.",
        "\xb2localhost",
    ],
)
def test_other_names_are_refused_even_where_no_key_is_needed(host: str) -> None:
    access = Access(Secret(KEY), ["noria.example"])
    for path in ("/", "/healthz", "/api/server"):
        with pytest.raises(NotAllowed, match="does not answer to the name") as caught:
            access.check("GET", path, {"host": host, "authorization": f"Bearer {KEY}"})
        assert caught.value.status == 403


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:7701",
        "http://localhost:7700",
        "http://127.0.0.1:7700@evil.example",
        "http://127.0.0.1:7700.evil.example",
        "http://[",
        "ftp://127.0.0.1:7700",
        "file://",
        "",
        "http://127.0.0.1:7700, http://evil.example",
    ],
)
def test_foreign_origins_are_refused_whatever_they_bring(origin: str) -> None:
    access = Access(Secret(KEY))
    cookie = f"{access.cookie}={access.exchange(access.new_link_token())}"
    for held in ({}, {"authorization": f"Bearer {KEY}"}, {"cookie": cookie}):
        for path in ("/", "/api/server", "/v1/models"):
            with pytest.raises(NotAllowed, match="are not accepted here") as caught:
                access.check("GET", path, held | {"host": HOST, "origin": origin})
            assert caught.value.status == 403


def test_a_request_without_host_is_refused() -> None:
    with pytest.raises(NotAllowed, match="the name ''"):
        Access(Secret(KEY)).check("GET", "/healthz", {})


async def test_a_second_header_hides_behind_no_first_one(noria: Noria) -> None:
    for headers in (
        [("host", HOST), ("host", "evil.example")],
        [("host", "evil.example"), ("host", HOST)],
        [("host", HOST), ("host", HOST)],
        [("host", HOST), ("origin", "http://evil.example"), ("origin", f"http://{HOST}")],
        [("host", HOST), ("Origin", f"http://{HOST}"), ("origin", "http://evil.example")],
    ):
        response = await ask(noria, "GET", "/api/server", [*headers, ("authorization", f"Bearer {KEY}")])
        assert response.status_code == 403
        assert json.loads(await response.aread())["error"]["code"] == "not_allowed"


async def test_two_keys_are_no_key(noria: Noria) -> None:
    both = [("host", HOST), ("authorization", f"Bearer {KEY}"), ("authorization", "Bearer other")]
    assert (await ask(noria, "GET", "/api/server", both)).status_code == 401


TRICKS = [
    "//api/server",
    "/api",
    "/API/server",
    "/Api/server",
    "/api%2Fserver",
    "/%61pi/server",
    "/api/./server",
    "/api/../api/server",
    "/static/../api/server",
    "/static/%2e%2e/api/server",
    "/static/..%2fapi/server",
    "/static//api/server",
    "/login/../api/server",
    "/healthz/../metrics",
    "/metrics/",
    "/v1/models/",
    "/;/api/server",
    "/api/server;/static/",
    "/api/server?/static/page.js",
    "/api/server/static/page.js",
    "/static/%00",
    "/static/" + "x" * 300,
    "/static/",
    "/%2e/metrics",
]


async def test_no_spelling_of_a_path_gets_around_the_key(noria: Noria) -> None:
    for path in TRICKS:
        response = await ask(noria, "GET", path, {"host": HOST})
        body = await response.aread()
        assert response.status_code in {401, 404}, path
        assert b"version" not in body
        assert b"noria_records" not in body


# -- sessions of browsers


async def session(noria: Noria) -> str:
    """A cookie as a browser keeps it after it opened a login link."""
    token = (await noria.post("/api/login-tokens"))["token"]
    response = await ask(noria, "GET", f"/login?token={token}", {"host": HOST})
    assert response.status_code == 303
    assert response.headers["location"] == "/"
    cookie, *flags = response.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(flags)
    assert "Secure" not in flags
    assert KEY not in cookie
    return str(cookie)


async def test_a_session_reads_and_with_its_own_origin_changes(noria: Noria) -> None:
    cookie = await session(noria)
    held = {"host": HOST, "cookie": f'theme="{{odd, cookie}}"; {cookie}; other=1'}
    assert (await ask(noria, "GET", "/api/server", held)).status_code == 200
    assert (await ask(noria, "POST", "/api/login-tokens", held)).status_code == 403
    assert (await ask(noria, "POST", "/api/login-tokens", held | {"origin": f"http://{HOST}"})).status_code == 201
    assert (await ask(noria, "GET", "/api/server", held | {"authorization": "Bearer wrong"})).status_code == 401


async def test_a_login_link_works_once_and_its_preview_does_not_use_it_up(noria: Noria) -> None:
    token = noria.access.new_link_token()
    assert (await ask(noria, "HEAD", f"/login?token={token}", {"host": HOST})).status_code == 405
    assert (await ask(noria, "GET", f"/login?token={token}", {"host": HOST})).status_code == 303
    again = await ask(noria, "GET", f"/login?token={token}", {"host": HOST})
    assert again.status_code == 401
    assert "set-cookie" not in again.headers
    assert "noria login" in (await again.aread()).decode()
    assert (await ask(noria, "GET", "/login", {"host": HOST})).status_code == 401


async def test_links_and_sessions_grow_old(noria: Noria) -> None:
    token = noria.access.new_link_token()
    cookie = await session(noria)
    noria.clock.now += LINK_S
    with pytest.raises(NotAllowed, match="too old"):
        noria.access.exchange(token)
    held = {"host": HOST, "cookie": cookie}
    assert (await ask(noria, "GET", "/api/server", held)).status_code == 200
    noria.clock.now += SESSION_S
    assert (await ask(noria, "GET", "/api/server", held)).status_code == 401


@given(at=st.integers(0, 200), new=st.characters(max_codepoint=255, exclude_characters="; "))
def test_a_changed_cookie_is_no_session(at: int, new: str) -> None:
    access = Access(Secret(KEY), clock=Clock())
    cookie = f"{access.cookie}={access.exchange(access.new_link_token())}"
    changed = cookie[:at] + new + cookie[at + 1 :]
    host = {"host": HOST}
    access.check("GET", "/api/server", host | {"cookie": cookie})
    if changed != cookie:
        with pytest.raises(NotAllowed):
            access.check("GET", "/api/server", host | {"cookie": changed})


async def test_sessions_are_of_one_key(noria: Noria) -> None:
    other = Access(Secret("another key"), clock=noria.clock)
    assert other.cookie != noria.access.cookie
    value = other.exchange(other.new_link_token())
    for cookie in (f"{other.cookie}={value}", f"{noria.access.cookie}={value}", f"{noria.access.cookie}=", "x", "="):
        assert (await ask(noria, "GET", "/api/server", {"host": HOST, "cookie": cookie})).status_code == 401


async def test_over_tls_the_cookie_is_secure(noria: Noria) -> None:
    url = f"https://{HOST}/login?token={noria.access.new_link_token()}"
    response = await noria.client._transport.handle_async_request(httpx.Request("GET", url))
    assert response.headers["set-cookie"].endswith("; Secure")


async def test_behind_a_proxy_that_speaks_tls_it_is_as_well(noria: Noria) -> None:
    for spoken, secure in (("https", True), ("http", False)):
        response = await ask(
            noria,
            "GET",
            f"/login?token={noria.access.new_link_token()}",
            {"host": HOST, "x-forwarded-proto": spoken},
        )
        assert ("Secure" in response.headers["set-cookie"]) is secure


# -- what leaves


async def test_pages_carry_the_headers_that_hold_hostile_text_back(noria: Noria) -> None:
    for path in ("/", "/static/page.js", "/static/style.css", "/login"):
        headers = (await ask(noria, "GET", path, {"host": HOST})).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"


async def test_answers_of_the_api_are_kept_by_no_cache_and_read_by_no_other_origin(noria: Noria) -> None:
    headers = (await noria.client.get("/api/server")).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert not any(name.startswith("access-control-") for name in headers)


async def test_the_key_is_in_no_log_and_no_error(noria: Noria, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(noria.workspace.catalogue.apps, "list", broken)
    cookie = await session(noria)
    seen: list[str] = []
    with structlog.testing.capture_logs() as logs:
        for path in (
            "/api/apps",
            "/api/nothing",
            "/v1/models",
            "/v1/nothing",
            f"/login?token={KEY}",
            f"/api/apps/{KEY[:9]}",
        ):
            for headers in (
                {"authorization": f"Bearer {KEY}"},
                {"authorization": f"Bearer {KEY}", "host": "evil"},
                {"cookie": cookie},
            ):
                response = await ask(noria, "GET", path, {"host": HOST} | headers)
                seen.append(f"{response.status_code} {response.headers} {(await response.aread()).decode()}")
    assert logs, "the defect should be logged"
    assert any(line.startswith("500") for line in seen)
    assert "a defect" not in "".join(seen)
    rendered = [repr(entry) for entry in logs]
    value = cookie.partition("=")[2]
    for text in (*seen, *rendered):
        assert KEY not in text
        assert value not in text
    assert KEY not in repr(noria.access.__dict__) + repr(noria.workspace.key)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("192.168.1.2", False),
        ("a.example", False),
    ],
)
def test_which_addresses_are_of_this_machine_alone(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
