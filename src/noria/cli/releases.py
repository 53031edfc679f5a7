"""``noria promote`` and ``noria rollback``: what ships, recorded with who, when and why."""

from __future__ import annotations

import click

from noria.cli.api import Api, part
from noria.cli.apps import serves
from noria.cli.command import Show, with_api
from noria.cli.groups import examples
from noria.core.apps import App, Release
from noria.core.errors import InvalidInput
from noria.serve.shapes import NewRelease, RollBack, WeightedVariant


@click.command(
    epilog=examples(
        'noria promote triage few-shot --reason "better by 0.07" --experiment 3f2a',
        "noria promote triage plain=90 few-shot=10",
    )
)
@click.argument("app")
@click.argument("variants", nargs=-1, required=True, metavar="VARIANT[=WEIGHT]...")
@click.option("--reason", default="", help="Why; kept with the release.")
@click.option("--experiment", "experiment_id", help="The experiment that the decision rests on.")
@with_api()
async def promote(
    api: Api, show: Show, app: str, variants: tuple[str, ...], reason: str, experiment_id: str | None
) -> None:
    """Put a variant in force, or split the traffic by weight."""
    shares = tuple(_share(text) for text in variants)
    body = NewRelease(shares=shares, reason=reason, experiment_id=experiment_id)
    release = await api.post(f"/api/apps/{part(app)}/releases", Release, body)
    found = await api.get(f"/api/apps/{part(app)}", App)
    show(release, lambda console: console.print(f"{app} now serves {serves(found)}. Undo: noria rollback {app}"))


@click.command()
@click.argument("app")
@click.option("--reason", default="", help="Why; kept with the release.")
@with_api()
async def rollback(api: Api, show: Show, app: str, reason: str) -> None:
    """Go back to the release before the one in force: noria rollback triage --reason "too slow"."""
    release = await api.post(f"/api/apps/{part(app)}/rollback", Release, RollBack(reason=reason))
    found = await api.get(f"/api/apps/{part(app)}", App)
    show(release, lambda console: console.print(f"{app} serves {serves(found)} again."))


def _share(text: str) -> WeightedVariant:
    name, has_weight, weight = text.partition("=")
    try:
        return WeightedVariant(variant=name, weight=float(weight) if has_weight else 1.0)
    except ValueError as error:
        raise InvalidInput(f"{text!r}: the weight is not a number.") from error
