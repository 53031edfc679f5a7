"""``noria limits`` and ``noria budgets``: how much may be used."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import click

from noria.cli.api import Api, part
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import examples, group
from noria.cli.tables import dollars, table, when
from noria.core.errors import InvalidInput
from noria.core.limits import Limit, Measure, Of, Window
from noria.serve.shapes import LimitReport

_WINDOWS = ("minute", "hour", "day", "month")
_OF = ("key", "team", "app", "user")


@group(alone=["list"])
def limits() -> None:
    """Limits on requests, tokens, money and concurrent calls, by key, team, app or user; alone, the list of them."""


@group(alone=["list"])
def budgets() -> None:
    """Budgets: limits on money; alone, the list of them. They are limits like the others, shown and set by themselves."""


def _whose(function: Callable[..., Any]) -> Callable[..., Any]:
    for name in reversed(_OF):
        function = click.option(f"--{name}", name, help=f"Only this {name}.")(function)
    function = click.option("--each", type=click.Choice(_OF), help="Every one of these, each for itself.")(function)
    return click.option("--all", "everybody", is_flag=True, help="Everybody together.")(function)


@limits.command(
    "set",
    epilog=examples(
        "noria limits set bot-rpm --requests 600/minute --key support-bot",
        "noria limits set fair --tokens 100000/minute --each user",
        "noria limits set at-once --concurrency 20 --team care",
    ),
)
@click.argument("name")
@click.option("--requests", help="Requests, such as 600/minute.")
@click.option("--tokens", help="Tokens, prompt and output together, such as 100000/minute.")
@click.option("--usd", help="US dollars, such as 500/month.")
@click.option("--concurrency", type=click.IntRange(min=0), help="Calls at a time.")
@_whose
@with_api()
async def set_limit(
    api: Api,
    show: Show,
    name: str,
    requests: str | None,
    tokens: str | None,
    usd: str | None,
    concurrency: int | None,
    **whose: Any,
) -> None:
    """Set a limit: one measure, and whose use is counted. Windows are a minute, an hour, a day or a month, UTC."""
    measures = {"requests": requests, "tokens": tokens, "usd": usd}
    written = {measure: text for measure, text in measures.items() if text is not None}
    if len(written) + (concurrency is not None) != 1:
        raise InvalidInput("A limit counts one thing.", hint="Give --requests, --tokens, --usd or --concurrency.")
    of, who = _who(**whose)
    if concurrency is not None:
        await _put(api, show, Limit(name=name, measure="concurrency", amount=concurrency, of=of, who=who))
        return
    [(measure, text)] = written.items()
    amount, window = _rate(f"--{measure}", text)
    await _put(
        api, show, Limit(name=name, measure=cast("Measure", measure), amount=amount, window=window, of=of, who=who)
    )


@budgets.command(
    "set", epilog=examples("noria budgets set care 500/month --team care", "noria budgets set cap 50/day --all")
)
@click.argument("name")
@click.argument("amount")
@_whose
@with_api()
async def set_budget(api: Api, show: Show, name: str, amount: str, **whose: Any) -> None:
    """Set a budget in US dollars, such as 500/month."""
    value, window = _rate("AMOUNT", amount)
    of, who = _who(**whose)
    await _put(api, show, Limit(name=name, measure="usd", amount=value, window=window, of=of, who=who))


@limits.command("list")
@with_api(reads_only=True)
async def list_limits(api: Api, show: Show) -> None:
    """List limits, and how they stand now."""
    _list(show, await api.get("/api/limits", list[LimitReport]), "limits")


@budgets.command("list")
@with_api(reads_only=True)
async def list_budgets(api: Api, show: Show) -> None:
    """List budgets, and what is left of them."""
    found = await api.get("/api/limits", list[LimitReport])
    _list(show, [report for report in found if report.limit.measure == "usd"], "budgets")


@limits.command("remove")
@click.argument("name")
@with_api()
async def remove_limit(api: Api, show: Show, name: str) -> None:
    """Forget a limit."""
    await _remove(api, show, name)


@budgets.command("remove")
@click.argument("name")
@with_api()
async def remove_budget(api: Api, show: Show, name: str) -> None:
    """Forget a budget; limits on other things are left alone."""
    for report in await api.get("/api/limits", list[LimitReport]):
        if report.limit.name == name and report.limit.measure != "usd":
            raise InvalidInput(
                f"{name} is no budget, but a limit on {report.limit.measure}.",
                kept="It stays in force.",
                hint=f"Run `noria limits remove {name}`.",
            )
    await _remove(api, show, name)


async def _put(api: Api, show: Show, limit: Limit) -> None:
    made = await api.put("/api/limits", Limit, limit)
    name = limit.who if made.who != limit.who else ""  # a key that was given by its name
    show(made, lambda console: console.print(f"{made.name}: at most {_said(made)} for {_for(made, name)}."))


async def _remove(api: Api, show: Show, name: str) -> None:
    gone = await api.delete(f"/api/limits/{part(name)}", Limit)
    show(gone, lambda console: console.print(f"{gone.name} limits nothing any more."))


def _list(show: Show, found: list[LimitReport], what: str) -> None:
    def draw(console: Console) -> None:
        if not found:
            console.print(f"No {what}.")
            return
        rows = []
        for report in found:
            limit = report.limit
            for standing in report.standings[:10] or (None,):
                said = (limit.name, _said(limit), _for(limit, report.key))
                if standing is None:
                    rows.append((*said, "", _amount(limit, 0), ""))
                    continue
                ends = when(standing.resets_ns) if standing.resets_ns else ""
                who = "" if limit.who else _named(standing.name, standing.who)
                rows.append((*said, who, _amount(limit, standing.used), ends))
        heads = ("name", "at most", "for", "who", "used", "begins anew")
        console.print(table(*heads, rows=rows, right=["used"], hide_empty=["who"], spare=["begins anew"]))

    show(found, draw)


def _who(*, everybody: bool, each: str | None, **named: str | None) -> tuple[Of, str]:
    given = [(of, who) for of, who in named.items() if who is not None]
    if everybody + (each is not None) + len(given) != 1:
        raise InvalidInput(
            "A limit is for somebody.",
            hint="Give --key, --team, --app or --user with a name, --each with one of these, or --all.",
        )
    if everybody:
        return "all", ""
    if each is not None:
        return cast("Of", each), ""
    [(of, who)] = given
    if not who:
        raise InvalidInput(f"--{of} names nobody.")
    return cast("Of", of), who


def _rate(option: str, written: str) -> tuple[float, Window]:
    number, _, window = written.partition("/")
    try:
        amount = float(number.replace("_", ""))
    except ValueError:
        amount = -1.0
    if window not in _WINDOWS or not (amount >= 0 and math.isfinite(amount)):
        raise InvalidInput(f"{option} {written!r} is no rate.", hint="Write 600/minute, 50/hour, 20/day or 500/month.")
    return amount, cast("Window", window)


def _said(limit: Limit) -> str:
    if limit.measure == "concurrency":
        return f"{limit.amount:g} calls at a time"
    if limit.measure == "usd":
        return f"{dollars(limit.amount)} a {limit.window}"
    return f"{limit.amount:,.0f} {limit.measure} a {limit.window}"


def _amount(limit: Limit, value: float) -> str:
    return dollars(value) if limit.measure == "usd" else f"{value:,.0f}"


def _for(limit: Limit, name: str) -> str:
    if limit.of == "all":
        return "everybody"
    return f"{limit.of} {_named(name, limit.who)}" if limit.who else f"each {limit.of}"


def _named(name: str, who: str) -> str:
    """A key by its name and its id, anybody else by what they are called."""
    return f"{name} ({who})" if name else who
