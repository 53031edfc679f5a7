"""The command: a server in this process (or the one that runs), and the phases in order."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import AsyncIterator
from pathlib import Path

import click

from noria.cli.api import Api, connected, running_server
from noria.cli.command import Console, Show, run
from noria.cli.demo.example import NAME, example_folder
from noria.cli.demo.phases import Phases
from noria.cli.demo.report import Report
from noria.settings import Settings, load_settings


@click.command()
@click.option("--data", metavar="DIR", help="Data folder (NORIA_DATA; by default .noria).")
def demo(data: str | None) -> None:
    """Once round the loop: choose, adapt, evaluate, serve, monitor, track.

    Real model (SmolLM2-135M on llama.cpp), real data, no key, no model hub. Interrupt it when you like and run it
    again: what is finished is kept. The second time, earlier replies are taken from the record.
    """
    for package, extra in (("xllamacpp", "local"), ("openai", "demo")):
        if importlib.util.find_spec(package) is None:
            raise click.ClickException(f"The demo needs the package {package}: pip install 'noria[{extra}]'")

    async def work() -> int:
        from noria.cli.logs import configure_logging  # noqa: PLC0415  # with the work, not with the help

        configure_logging("warning")
        settings = load_settings(os.environ, Path.cwd(), {"data": data})
        report = Report(Console())
        example = _shown(example_folder())
        async with _server(settings) as api:
            phases = Phases(api, Show(as_json=False), report, example)
            for phase in (phases.choose, phases.adapt, phases.evaluate, phases.serve, phases.monitor, phases.track):
                await phase()
        _say_what_next(report, phases, settings)
        return 0

    run(work)


@contextlib.asynccontextmanager
async def _server(settings: Settings) -> AsyncIterator[Api]:
    """The server that holds the folder, or one in this process on a free port."""
    from noria.assemble import open_workspace  # noqa: PLC0415  # a running server makes it unnecessary
    from noria.serve.access import Access  # noqa: PLC0415
    from noria.serve.port import bind  # noqa: PLC0415
    from noria.serve.run import serving  # noqa: PLC0415

    url, key = running_server(settings)
    if url:
        async with connected(settings, url, key) as api:
            yield api
        return
    async with open_workspace(settings, os.environ, holder="noria demo") as workspace:
        bound = bind("127.0.0.1", 0)
        async with serving(workspace, bound, Access(workspace.key, find=workspace.keyring.find)) as (running, _):
            workspace.announce(running.url)
            async with connected(settings, running.url, workspace.key.reveal()) as api:
                yield api


def _shown(folder: Path) -> Path:
    """A path as people would type it."""
    with contextlib.suppress(ValueError):
        return folder.relative_to(Path.cwd())
    return folder


def _say_what_next(report: Report, phases: Phases, settings: Settings) -> None:
    noria = ".venv/bin/noria" if Path(".venv/bin/noria").exists() else "noria"
    folder = "" if settings.data == Settings().data else f" --data {settings.data}"
    report.console.print("")
    report.say(f"Once round in {report.elapsed_s:.0f} s. What to type next:")
    report.command(
        f"{noria} up{folder}    the same data at http://127.0.0.1:7700",
        f"{noria} apps show {NAME}{folder}    who serves, since when, why",
        *([f"{noria} rollback {NAME}{folder}    undo the promotion"] if phases.promoted else []),
        f"{noria} eval {phases.folder / 'eval.yaml'}{folder}    after you have edited a prompt",
        f"{noria} --help",
    )
