"""``noria gateway``: the gateway and its providers."""

from __future__ import annotations

import click

from noria.assemble.doctor import Check, Examination
from noria.cli.api import Api
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import examples, group
from noria.cli.tables import coloured
from noria.serve.shapes import Examine

_MARKS = {True: ("ok", ""), False: ("wrong", "red"), None: ("?", "yellow")}


@group()
def gateway() -> None:
    """The gateway: what it calls, and whether that is well."""


@gateway.command(
    "doctor",
    epilog=examples(
        "noria gateway doctor",
        "noria gateway doctor openai anthropic",
        "noria gateway doctor --call openai/gpt-5-mini",
    ),
)
@click.argument("providers", nargs=-1, metavar="[PROVIDER]...")
@click.option("--call", "calls", multiple=True, metavar="MODEL", help="Call provider/model twice, which costs money.")
@with_api(reads_only=True)
async def doctor(api: Api, show: Show, providers: tuple[str, ...], calls: tuple[str, ...]) -> int:
    """Test each configured provider: its key, name, connection, models, clock; and say what is wrong.

    Nothing that costs money is done without --call, which makes a whole and a streamed call of a few tokens. They are
    recorded like any others. Exit code 1 says that something is wrong.
    """
    body = Examine(providers=providers, calls=calls)
    found = await api.post("/api/gateway/doctor", list[Examination], body)

    def draw(console: Console) -> None:
        if not found:
            console.print("No provider is configured: add one to noria.toml, or set a well-known one's key.")
        for one in found:
            console.print(f"{one.provider}  {one.base_url}")
            for check in one.checks:
                _print(console, check)

    show(found, draw)
    return 0 if all(one.ok for one in found) else 1


def _print(console: Console, check: Check) -> None:
    mark, colour = _MARKS[check.ok]
    seconds = "" if check.seconds is None else f" ({check.seconds:.3f} s)"
    console.print(coloured(f"  {mark:6} {check.name:14} {check.said}{seconds}", colour))
    if check.hint and check.ok is not True:
        console.print(f"{'':24}{check.hint}")
