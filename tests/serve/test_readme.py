"""The README's Python is run as it stands there, but for the address and the place of the key."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import KEY, Noria

ROOT = Path(__file__).parent.parent.parent
[CODE] = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.timeout(60)
async def test_the_readmes_call_works(server: Noria, tmp_path: Path) -> None:
    prompt = {"blocks": [{"role": "user", "template": "{{ text }}"}], "variables": {"text": {}}}
    await server.post("/api/prompts", {"name": "triage", "prompt": prompt})
    await server.post("/api/apps", {"name": "question-triage"})
    await server.put("/api/apps/question-triage/variants/plain", {"model": "up/m", "prompt": "triage"})
    await server.post("/api/apps/question-triage/releases", {"shares": [{"variant": "plain"}]})
    (tmp_path / ".noria").mkdir()
    (tmp_path / ".noria" / "admin.key").write_text(KEY + "\n")
    code = CODE.replace("http://127.0.0.1:7700", server.url)
    assert code != CODE
    ran = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "Hello\n"), ran.stderr
    [span] = await server.spans()
    assert span["lineage"]["app"] == "question-triage"
