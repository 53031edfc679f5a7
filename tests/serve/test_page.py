"""The page in a real browser: what hostile texts become, and what it says when there is nothing to show."""

from __future__ import annotations

import asyncio
import html
import re
import shutil
from pathlib import Path

import pytest

from .conftest import Noria
from .pages import HOSTILE, fill

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


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
async def test_hostile_texts_stay_texts(server: Noria, tmp_path: Path) -> None:
    await fill(server)
    link = f"{server.url}/login?token={server.access.new_link_token()}"
    page, complaints = await dom(link, tmp_path / "profile")
    assert complaints == ""
    assert "<title>Noria</title>" in page
    assert "few-shot-with-reasons" in page
    assert "few-shot 75 %" in page
    body = page[page.index("<body") :]
    assert not re.search(r"<(script|b|img src=.?x)\b", body)
    assert html.escape(HOSTILE, quote=False) in body
    assert body.count("<details") == 24
    assert "NaN" not in body
    assert "undefined" not in body


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
async def test_without_a_session_and_without_data(server: Noria, tmp_path: Path) -> None:
    page, _ = await dom(server.url, tmp_path / "one")
    assert "noria login" in page
    link = f"{server.url}/login?token={server.access.new_link_token()}"
    page, complaints = await dom(link, tmp_path / "two")
    assert complaints == ""
    assert page.count("None yet.") == 2


def test_no_text_is_ever_read_as_html() -> None:
    script = (FILES / "page.js").read_text()
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "srcdoc", "DOMParser"):
        assert way not in script
    page = (FILES / "index.html").read_text()
    assert "<style" not in page
    assert not re.search(r"\s(on\w+|style)=", page)
    assert re.findall(r"<script[^>]*>", page) == ['<script type="module" src="/static/page.js">']
