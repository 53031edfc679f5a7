"""``noria serve``: one of several servers on shared stores, itself one process or several."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from functools import partial

import click
import msgspec

from noria.cli.answering import MOST_WORKERS, fast_loop, say_ready, serve_until_stopped
from noria.cli.command import run
from noria.cli.configuration import configuration
from noria.cli.groups import examples
from noria.core.errors import InvalidInput


@click.command(
    epilog=examples("noria serve", "noria serve --host 0.0.0.0 --port 7700", "noria serve --host 0.0.0.0 --workers 4")
)
@click.option("--host", help="Address to listen on (NORIA_HOST; by default 127.0.0.1).")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on, 0 for a free one (NORIA_PORT; by default 7700)."
)
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    default=1,
    help="Processes that answer on the port; one that ends is started again (by default 1, without a parent).",
)
def serve(host: str | None, port: int | None, workers: int) -> None:
    """Start one of several servers that keep nothing themselves.

    The catalogue is in PostgreSQL, traces are in ClickHouse, blobs in S3, as the settings say (docs/scale.md), and
    NORIA_API_KEY is the admin key of all. Any of them can be stopped, killed or added at any time.
    """
    if workers > 1:
        run(partial(_serve_with_workers, host, port, workers))
    ending = contextlib.ExitStack()

    async def work() -> int:
        from noria.assemble import open_shared_workspace  # noqa: PLC0415  # after the arguments were checked
        from noria.cli.logs import configure_logging  # noqa: PLC0415
        from noria.serve.port import bind  # noqa: PLC0415

        read = partial(configuration, host=host, port=port)
        settings = read()
        configure_logging(settings.log_level)
        with contextlib.closing(bind(settings.host, settings.port)) as bound:
            async with open_shared_workspace(settings, os.environ, read_again=read) as workspace:
                await serve_until_stopped(workspace, settings, bound, ending)
        return 0

    with ending:
        run(work, new_loop=fast_loop)


async def _serve_with_workers(host: str | None, port: int | None, count: int) -> int:
    from noria.assemble.workers.own_folder import own_folder  # noqa: PLC0415  # see above
    from noria.assemble.workers.sharing import Sharing, leave_out  # noqa: PLC0415
    from noria.cli.logs import configure_logging  # noqa: PLC0415
    from noria.cli.worker import Orders, Ready, command  # noqa: PLC0415
    from noria.serve.port import bind  # noqa: PLC0415
    from noria.serve.workers import Post, Workers  # noqa: PLC0415

    if sys.platform == "win32":
        raise InvalidInput("Windows can't share a port among workers.", hint="Start several `noria serve`.")
    settings = configuration(host=host, port=port)
    if settings.otlp_grpc_port:
        raise InvalidInput(
            "Workers can't share the port of OTLP over gRPC (otlp_grpc_port).",
            kept="Nothing was started.",
            hint="Set it to 0 and send OTLP over HTTP, or start another `noria serve` without --workers for it.",
        )
    configure_logging(settings.log_level)

    def orders(post: Post) -> tuple[str, ...]:
        return command(Orders(post=post, sharing=sharing.by(post.number), host=host, port=port))

    def say(line: str) -> None:
        ready = msgspec.json.decode(line, type=Ready)
        say_ready(ready.url, ready.login_link)

    with own_folder("serve") as own, contextlib.closing(bind(settings.host, settings.port)) as bound:
        (own.path / "shared").mkdir()
        sharing = Sharing(folder=str(own.path / "shared"), processes=count + 1)
        workers = Workers(
            orders, count, bound, os.environ, on_ready=say, on_end=partial(leave_out, sharing), kept_open=[own.lock]
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, workers.tell, signal.SIGHUP)
        return await workers.run()
