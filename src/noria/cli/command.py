"""What every command shares: its options, its way to the API, how it shows results, how it fails.

@group.command("list")
@with_api
async def list_things(api: Api, show: Show) -> None: ...
"""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import click
import msgspec
import structlog

from noria.cli.api import open_api
from noria.core.errors import NoriaError

Renderer = Callable[["Console"], None]


class Console:
    """Standard output for people, through rich; made when first needed."""

    @functools.cached_property
    def rich(self) -> Any:
        """The rich console."""
        from rich.console import Console as RichConsole  # noqa: PLC0415  # not needed for --json

        return RichConsole(highlight=False, soft_wrap=False)

    def print(self, *things: Any) -> None:
        """Print rich renderables; plain strings are printed as they are, never read as markup."""
        from rich.text import Text  # noqa: PLC0415

        self.rich.print(*[Text(thing) if isinstance(thing, str) else thing for thing in things])


class Show:
    """Shows a result: as JSON with ``--json``, else the way the command draws it."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        """Whether ``--json`` was given."""
        self.console = Console()
        """For people."""

    def __call__(self, value: Any, draw: Callable[[Console], None]) -> None:
        """Show ``value``; ``draw`` is called when a person reads."""
        if self.as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))
        else:
            draw(self.console)

    def note(self, text: str) -> None:
        """A remark for people, on standard error, so that it never mixes with a result."""
        if not self.as_json:
            click.echo(text, err=True)


def with_settings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--data`` and ``--url``."""
    for option in (
        click.option("--url", metavar="URL", help="A running server (NORIA_URL)."),
        click.option("--data", metavar="DIR", help="Data folder (NORIA_DATA; by default .noria)."),
    ):
        function = option(function)
    return function


def with_api(function: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., None]:
    """Make a click callback of an async function that takes ``api`` and ``show``; its result is the exit code."""

    @with_settings
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(function)
    def command(data: str | None, url: str | None, as_json: bool, **arguments: Any) -> None:
        async def work() -> int | None:
            show = Show(as_json=as_json)
            async with open_api({"data": data, "url": url}, holder=_command_line()) as api:
                code: int | None = await function(api=api, show=show, **arguments)
                return code

        run(work, as_json=as_json)

    return command


def run(work: Callable[[], Awaitable[int | None]], *, as_json: bool = False, log_level: str = "warning") -> None:
    """Run a command's work, then exit: errors become sentences on standard error and exit code 2."""
    configure_logging(log_level)
    try:
        code = asyncio.run(_interruptible(work))
    except NoriaError as error:
        fail(error, as_json=as_json)
        sys.exit(2)
    except asyncio.CancelledError:
        sys.exit(130)
    sys.exit(code or 0)


def fail(error: NoriaError, *, as_json: bool) -> None:
    """Say what went wrong."""
    if as_json:
        fields = {"code": error.code, "message": error.message, "kept": error.kept, "hint": error.hint}
        click.echo(msgspec.json.encode({"error": fields}).decode(), err=True)
        return
    click.echo(click.style("Error: ", fg="red", bold=True) + error.message, err=True)
    for text in (error.kept, error.hint):
        if text:
            click.echo(f"       {text}", err=True)


def configure_logging(level: str) -> None:
    """Events as lines on standard error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )


async def _interruptible(work: Callable[[], Awaitable[int | None]]) -> int | None:
    """Run; SIGTERM is taken like Ctrl-C, so that everything is closed in order."""
    task = asyncio.ensure_future(work())
    loop = asyncio.get_running_loop()
    with_signals = hasattr(signal, "SIGTERM") and sys.platform != "win32"
    if with_signals:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
    return await task


def _command_line() -> str:
    return " ".join(["noria", *sys.argv[1:3]])
