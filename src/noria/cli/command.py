"""What every command shares: its options, its way to the API, how it shows results, how it fails.

@group.command("list")
@with_api(reads_only=True)
async def list_things(api: Api, show: Show) -> None: ...
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import click

from noria.cli.api import Api, open_api
from noria.cli.terminal import Console, harmless, json_text, silence_stdout
from noria.core.errors import Cancelled, InvalidInput, NoriaError
from noria.core.struct import spelt_out

__all__ = ["Console", "Show", "confirm", "fail", "interruptible_prompt", "need_folder", "run", "with_api"]

Work = Callable[..., Coroutine[Any, Any, Any]]


class Show:
    """Shows a result: as JSON with ``--json``, else the way the command draws it."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        """Whether ``--json`` was given."""
        self.console = Console()
        """For people."""

    def __call__(self, value: Any, draw: Callable[[Console], None]) -> None:
        """Show ``value``; ``draw`` is called when a person reads."""
        try:
            if self.as_json:
                click.echo(json_text(spelt_out(value), indent=2))
            else:
                draw(self.console)
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read has seen enough; the exit code is still worth something
            silence_stdout()

    def note(self, text: str) -> None:
        """A remark for people, on standard error, so that it never mixes with a result."""
        if not self.as_json:
            click.echo(harmless(text), err=True)


def with_api(*, reads_only: bool | str = False, remarks: bool = True) -> Callable[[Work], Callable[..., None]]:
    """Make a click callback of an async function that takes ``api`` and ``show``; its result is the exit code.

    Arguments:
        reads_only: the command only looks, so it does not make a data folder where there is none; or the name of the
            flag that makes it so.
        remarks: say by the way that there is no data folder yet, or that the configuration is wrong, which a running server knows
            nothing of. Not for commands that are about something else, or tell of it themselves.
    """

    def decorate(function: Work) -> Callable[..., None]:
        @click.option("--data", metavar="DIR", help="Data folder (NORIA_DATA; by default .noria).")
        @click.option("--url", metavar="URL", help="A running server (NORIA_URL; by default the folder's own).")
        @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
        @functools.wraps(function)
        def command(data: str | None, url: str | None, as_json: bool, **arguments: Any) -> None:
            async def work() -> int | None:
                show = Show(as_json=as_json)
                options = {"data": data, "url": url}
                only = bool(arguments[reads_only]) if isinstance(reads_only, str) else reads_only
                async with open_api(options, holder=_command_line(), reads_only=only) as api:
                    if api.unread and remarks:
                        show.note(f"{api.unread.message} The running server does not mind.")
                    if api.missing and remarks:  # an empty list might be a wrong directory
                        show.note(f"There is no data folder at {api.missing} yet.")
                    code: int | None = await function(api=api, show=show, **arguments)
                    return code

            run(work, as_json=as_json)

        return command

    return decorate


def run(
    work: Callable[[], Awaitable[int | None]],
    *,
    as_json: bool = False,
    new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Run a command's work, then exit: errors become sentences on standard error and exit code 2.

    Arguments:
        work: what is done.
        as_json: how errors are written.
        new_loop: makes the event loop; by default asyncio's own, which starts in no time.
    """
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            code = runner.run(_interruptible(work))
    except Cancelled as error:
        fail(error, as_json=as_json)
        sys.exit(130)
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
        click.echo(json_text({"error": fields}), err=True)
        return
    stopped = isinstance(error, Cancelled)
    head = click.style("Stopped: ", fg="yellow", bold=True) if stopped else click.style("Error: ", fg="red", bold=True)
    click.echo(head + harmless(error.message), err=True)
    for text in (error.kept, error.hint):
        if text:
            click.echo(" " * len(click.unstyle(head)) + harmless(text), err=True)


def need_folder(api: Api) -> None:
    """Refuse to take a folder that is not there for an empty one, where a script might take the answer for a yes.

    Raises:
        InvalidInput: there is none.
    """
    if api.missing:
        raise InvalidInput(f"There is no data folder at {api.missing}.", hint="Name the one you mean with --data.")


def confirm(question: str) -> None:
    """Ask for a yes at the terminal. Ctrl-C and SIGTERM end the program, as they do where nothing is asked.

    Raises:
        InvalidInput: nobody is there to answer.
        Cancelled: the answer is no.
    """
    if not sys.stdin.isatty():
        raise InvalidInput(f"{question} Nobody is at the terminal to say so.", hint="Say --yes.")
    with interruptible_prompt():
        if not click.confirm(question, err=True):
            raise Cancelled("Nothing was done.")


@contextlib.contextmanager
def interruptible_prompt() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the program while somebody is asked something.

    The event loop takes these signals and hands them to a task that waits here: nobody would hear them.
    """
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _interruptible(work: Callable[[], Awaitable[int | None]]) -> int | None:
    """Run; SIGTERM is taken like Ctrl-C, so that everything is closed in order. A second one ends at once."""
    task = asyncio.ensure_future(work())
    loop = asyncio.get_running_loop()
    stopping = False

    def stop(number: int) -> None:
        nonlocal stopping
        if stopping:  # what was acknowledged is durable, engines end with their parent: there is nothing to lose
            click.echo("Stopped at once; what was acknowledged is kept.", err=True)
            os._exit(128 + number)
        stopping = True
        task.cancel()

    if sys.platform != "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)
    return await task


def _command_line() -> str:
    return " ".join(["noria", *sys.argv[1:3]])
