"""The page in a real browser: what hostile texts become, and what it says when there is nothing to show."""

from __future__ import annotations

import asyncio
import html
import re
import shutil
from pathlib import Path

import pytest

from .conftest import UPSTREAM_KEY, Noria, served
from .pages import GATEWAY, HOSTILE, agent_steps, cut_call, fill, fill_gateway

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=8000",
    "--enable-logging=stderr",
    "--dump-dom",
]
FILES = Path(__file__).parents[2] / "src/noria/serve/static"


async def dom(url: str, profile: Path) -> tuple[str, str]:
    """The page after its scripts ran, and what the browser complained about."""
    assert CHROMIUM
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={profile}",
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, log = await process.communicate()
    complaints = [line for line in log.decode(errors="replace").splitlines() if "CONSOLE" in line]
    return out.decode(), "\n".join(complaints)


async def opened(server: Noria, view: str, profile: Path) -> str:
    """A view of the page, logged in; nothing in it was worth a complaint. The first view is where a login link leads."""
    login = f"{server.url}/login?token={server.access.new_link_token()}"
    page, complaints = await dom(f"{server.url}/#{view}" if view else login, profile)
    assert complaints == ""
    assert "<title>Noria</title>" in page
    body = page[page.index("<body") :]
    assert not re.search(r"<(script|b|img src=.?x)\b", body)
    assert "NaN" not in body
    assert "undefined" not in body
    return body


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
async def test_hostile_texts_stay_texts(server: Noria, tmp_path: Path) -> None:
    await fill(server)
    body = await opened(server, "", tmp_path / "profile")
    assert "few-shot-with-reasons" in body
    assert "few-shot 75 %" in body
    assert html.escape(HOSTILE, quote=False) in body
    body = await opened(server, "traces", tmp_path / "profile")
    assert html.escape(HOSTILE, quote=False) in body
    assert body.count('class="trace"') == 24


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
async def test_traces_are_searched_by_the_address_and_gathered(server: Noria, tmp_path: Path) -> None:
    await fill(server)
    await server.workspace.traces.append([*agent_steps(), cut_call()])
    await opened(server, "", tmp_path / "profile")
    body = await opened(server, "traces?user=ada&text=order", tmp_path / "profile")
    assert body.count('class="trace"') == 1
    assert ">3 steps<" in body
    assert "Where is my order?" in body
    body = await opened(server, f"traces?where=trace_id%3D{'c' * 32}", tmp_path / "profile")
    assert "~38 → ~7" in body, "the only trace that was found is open"
    refused = await dom(f"{server.url}/#traces?where=nothing%3D1", tmp_path / "profile")
    assert "There is no column" in refused[0]
    body = await opened(server, "sessions", tmp_path / "profile")
    assert 'href="#traces?session=%3Cimg+src' in body
    assert html.escape(HOSTILE, quote=False) in body


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
async def test_the_gateway_with_all_that_it_does(tmp_path: Path) -> None:
    async with served(tmp_path / "data", **GATEWAY) as server:
        await fill_gateway(server)
        await opened(server, "", tmp_path / "profile")
        body = await opened(server, "gateway", tmp_path / "profile")
        assert '<span class="badge wait">refused</span>' in await opened(server, "traces", tmp_path / "profile")
    assert "None yet." not in body
    assert html.escape(HOSTILE, quote=False) in body
    for said in (
        "left alone",  # the breaker of far/m
        "needs its key in NOBODY_SET_THIS_KEY",
        "goes on where one breaks off; 10 % mirrored to up/other",
        "from 0.93 on, by openai/text-embedding-3-small",
        "4 requests a minute",
        ">revoked<",
        "67 % hits",
        "4 redacted",
        "8 flagged",
        "of the last hour; refused 1 by breakers, 1 by limits",
        '<span title="1 by limits">1</span>',
    ):
        assert said in body
    assert UPSTREAM_KEY not in body


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
async def test_without_a_session_and_without_data(server: Noria, tmp_path: Path) -> None:
    page, _ = await dom(server.url, tmp_path / "one")
    assert "noria login" in page
    for view, count in (("", 1), ("traces", 1), ("sessions", 2), ("gateway", 5)):
        assert (await opened(server, view, tmp_path / "two")).count("None yet.") == count


def test_no_text_is_ever_read_as_html() -> None:
    scripts = list(FILES.glob("*.js"))
    assert len(scripts) >= 5
    for script in scripts:
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "srcdoc", "DOMParser"):
            assert way not in script.read_text()
    page = (FILES / "index.html").read_text()
    assert "<style" not in page
    assert not re.search(r"\s(on\w+|style)=", page)
    assert re.findall(r"<script[^>]*>", page) == ['<script type="module" src="/static/page.js">']
