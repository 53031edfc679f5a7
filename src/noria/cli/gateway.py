"""``noria gateway``: the gateway and its providers."""

from __future__ import annotations

import click

from noria.assemble.gateway.state import CacheState, GatewayState, Places, ProviderState, RouteState
from noria.assemble.providers.doctor import Check, Examination
from noria.cli.api import Api
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import examples, group
from noria.cli.tables import Table, coloured, dollars, table, when
from noria.cli.up import up
from noria.serve.shapes import Examine

_MARKS = {True: ("ok", ""), False: ("wrong", "red"), None: ("?", "yellow")}


@group(alone=["show", "up"])
def gateway() -> None:
    """The gateway: what it calls, and whether that is well.

    Alone it shows how the gateway stands; with --workers, --host or --port it is started, as by `noria up`.
    """


gateway.add_command(up)


@gateway.command("show", epilog=examples("noria gateway show", "noria gateway show --json"))
@with_api(reads_only=True)
async def show_state(api: Api, show: Show) -> None:
    """Show providers, models, routes, kept replies and guards, as the server has seen them since it started."""
    state = await api.get("/api/gateway", GatewayState)
    show(state, lambda console: _draw(console, state))


def _draw(console: Console, state: GatewayState) -> None:
    console.print(f"Since {when(state.since_ns)}. {_places(state.places)} under way, {state.places.shed} turned away.")
    if state.providers:
        console.print("")
        console.print(_providers(state.providers))
        for one in state.providers:
            if not one.ready:
                console.print(coloured(f"{one.name}: {one.why_not}", "red"))
    else:
        console.print("No provider is configured: add one to noria.toml, or set a well-known one's key.")
    if any(one.models for one in state.providers):
        console.print("")
        console.print(_models(state.providers))
    if state.routes:
        console.print("")
        console.print(
            table("ROUTE", "POLICY", "TARGETS", rows=[_route(one) for one in state.routes], prose=["TARGETS"])
        )
    if state.cache.policies:
        console.print("")
        console.print(_kept(state.cache))
    if state.guards:
        console.print("")
        rows = [
            (one.rule.title, ", ".join(one.rule.on), one.rule.policy, _counted(one.findings)) for one in state.guards
        ]
        console.print(table("GUARD", "ON", "POLICY", "FOUND", rows=rows))


def _providers(providers: tuple[ProviderState, ...]) -> Table:
    rows = [
        (
            one.name,
            one.kind,
            one.base_url,
            "yes" if one.ready else coloured("no", "red"),
            _places(one.places),
            one.places.shed,
            one.retries,
        )
        for one in providers
    ]
    columns = ("PROVIDER", "KIND", "WHERE", "READY", "UNDER WAY", "TURNED AWAY", "RETRIES")
    return table(*columns, rows=rows, right=["UNDER WAY", "TURNED AWAY", "RETRIES"], spare=["KIND", "WHERE"])


def _models(providers: tuple[ProviderState, ...]) -> Table:
    rows = [
        (
            model.model,
            coloured(model.breaker, "" if model.breaker in {"closed", "none"} else "red"),
            model.outstanding,
            model.calls,
            model.failed,
            "" if model.ttft_s is None else f"{model.ttft_s:.3f}",
        )
        for one in providers
        for model in one.models
    ]
    columns = ("MODEL", "BREAKER", "UNDER WAY", "CALLS", "FAILED", "TTFT S")
    return table(*columns, rows=rows, right=["UNDER WAY", "CALLS", "FAILED", "TTFT S"])


def _route(one: RouteState) -> tuple[str, str, str]:
    return one.name, "alias" if one.alias else one.route.policy, ", ".join(one.route.targets)


def _kept(cache: CacheState) -> str:
    size = f"{cache.bytes / 1e6:.1f} of {cache.most_bytes / 1e6:.0f} MB"
    return f"Kept replies: {cache.replies}, {size}; {_counted(cache.calls) or 'not asked yet'}; saved {dollars(cache.saved_usd)}."


def _places(places: Places) -> str:
    return f"{places.running} of {places.most}" if places.most else str(places.running)


def _counted(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in numbers.items())


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
@with_api(reads_only=True, remarks=False)
async def doctor(api: Api, show: Show, providers: tuple[str, ...], calls: tuple[str, ...]) -> int:
    """Test each configured provider: its key, name, connection, models, clock; and say what is wrong.

    Nothing that costs money is done without --call, which makes a whole and a streamed call of a few tokens. They are
    recorded like any others, where there is a data folder. Exit code 1 says that something is wrong.
    """
    if calls and api.missing:
        show.note(f"There is no data folder at {api.missing} yet, so these calls are on no record.")
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
