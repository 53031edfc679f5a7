"""The port of a server that was killed, whose workers still let go of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from noria.cli.answering import bind_for
from noria.core.errors import Conflict
from noria.serve.port import bind
from noria.settings import Settings


@pytest.mark.parametrize("url", ["null", '"http://127.0.0.1:{port}"'])
async def test_the_port_of_a_killed_server_is_waited_for_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    taken = bind("127.0.0.1", 0)
    port = taken.getsockname()[1]
    note = f'{{"pid": 4321, "command": "noria up", "url": {url.format(port=port)}}}'
    (tmp_path / "holder.json").write_text(note)
    binding = asyncio.create_task(bind_for(Settings(data=str(tmp_path), port=port)))
    await asyncio.sleep(0.1)
    assert not binding.done()
    taken.close()
    (await binding).close()
    said = capsys.readouterr().err
    assert said.count(f"Port {port} is in use.") == 1
    assert "process 4321" in said


async def test_a_port_that_anybody_else_has_is_not_waited_for(tmp_path: Path) -> None:
    taken = bind("127.0.0.1", 0)
    settings = Settings(data=str(tmp_path), port=taken.getsockname()[1])
    with pytest.raises(Conflict, match="in use"):
        await bind_for(settings)
    (tmp_path / "holder.json").write_text('{"pid": 4321, "command": "noria up", "url": "http://127.0.0.1:1"}')
    with pytest.raises(Conflict, match="in use"):
        await bind_for(settings)
    taken.close()
