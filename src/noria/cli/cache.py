"""``noria cache``: kept replies, and when two questions are one."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from noria.cli.api import Api
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import examples, group
from noria.cli.tables import table
from noria.core.caching import Calibration, Pair
from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput
from noria.serve.shapes import Calibrate

_BAR = 20


@group()
def cache() -> None:
    """Kept replies that answer live calls again (docs/gateway.md)."""


@cache.command(
    "calibrate", epilog=examples("noria cache calibrate pairs.jsonl --embedder openai/text-embedding-3-small")
)
@click.argument("pairs", type=click.Path(path_type=Path))
@click.option("--embedder", required=True, metavar="MODEL", help="What turns questions into vectors: provider/model.")
@click.option(
    "--most-false",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.02,
    show_default=True,
    help="Highest share of different questions that may be taken for one.",
)
@with_api()
async def calibrate(api: Api, show: Show, pairs: Path, embedder: str, most_false: float) -> int:
    """Find from which similarity on two questions are one, on labelled pairs: lines of {"a": ..., "b": ..., "same": true}.

    The threshold is chosen on one half of the pairs and measured on the other. Exit code 1 says that none is good enough.
    """
    body = Calibrate(embedder=embedder, most_false=most_false, pairs=_read(pairs))
    found = await api.post("/api/cache/calibrations", Calibration, body)

    def draw(console: Console) -> None:
        rows = [
            (
                f"{row.threshold:.3f}",
                f"{row.hit_rate:.1%}",
                "━" * round(_BAR * row.hit_rate),
                f"{row.false_hit_rate:.2%}",
                f"{row.upper:.2%}",
                "━" * round(_BAR * row.false_hit_rate),
            )
            for row in found.table
        ]
        headers = ("threshold", "hits", "", "false hits", "at most", " ")
        console.print(table(*headers, rows=rows, right=["threshold", "hits", "false hits", "at most"]))
        console.print(found.said)
        if found.id:
            console.print("\nFor noria.toml, below the app's own [caches.NAME]:\n")
            console.print(
                f'[caches.NAME.similar]\nembedder = "{found.embedder}"\nthreshold = {found.threshold}\n'
                f'calibration = "{found.id}"'
            )

    show(found, draw)
    return 0 if found.id else 1


def _read(path: Path) -> tuple[Pair, ...]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"Can't read {path}: {error.strerror}.") from error
    found = []
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            try:
                found.append(msgspec.json.decode(line, type=Pair))
            except UNREADABLE as error:
                raise InvalidInput(f"{path}, line {number}: {error}.") from error
    return tuple(found)
