"""``noria promote`` and ``noria rollback``: what ships, recorded with who, when and why."""

from __future__ import annotations

import click

from noria.cli.api import Api
from noria.cli.api import part as in_path
from noria.cli.apps import serves
from noria.cli.command import Show, with_api
from noria.cli.groups import examples
from noria.core.apps import PRODUCTION, App, Release
from noria.core.errors import InvalidInput
from noria.serve.shapes import NewRelease, RollBack, WeightedVariant


@click.command(
    epilog=examples(
        'noria promote triage few-shot --reason "better by 0.07" --experiment 3f2a',
        "noria promote triage plain=90 few-shot=10",
        "noria promote triage few-shot --part 0.1",
        "noria promote triage plain --shadow few-shot=0.2",
        "noria promote triage few-shot --label staging",
    )
)
@click.argument("app")
@click.argument("variants", nargs=-1, required=True, metavar="VARIANT[=WEIGHT]...")
@click.option("--part", type=float, help="Give one variant this part of the traffic; those in force share the rest.")
@click.option(
    "--shadow", "shadows", multiple=True, metavar="VARIANT=PART", help="Mirror this part of the calls to a variant too."
)
@click.option("--reason", default="", help="Why; kept with the release.")
@click.option("--experiment", "experiment_id", help="The experiment that the decision rests on.")
@click.option("--label", default=PRODUCTION, help="For calls of APP@LABEL; by default production, the app's own name.")
@with_api()
async def promote(
    api: Api,
    show: Show,
    app: str,
    variants: tuple[str, ...],
    part: float | None,
    shadows: tuple[str, ...],
    reason: str,
    experiment_id: str | None,
    label: str,
) -> None:
    """Put a variant in force, or split the traffic by weight.

    A shadow is called after the call itself, and nobody is shown its answer: its record hangs below the call's.
    """
    shares = tuple(_share(text) for text in variants)
    if part is not None:
        shares = _beside(await api.get(f"/api/apps/{in_path(app)}", App), shares, part, label)
    mirrored = tuple(_share(text) for text in shadows)
    body = NewRelease(shares=shares, shadows=mirrored, reason=reason, experiment_id=experiment_id, label=label)
    release = await api.post(f"/api/apps/{in_path(app)}/releases", Release, body)
    found = await api.get(f"/api/apps/{in_path(app)}", App)
    called, back = (app, app) if label == PRODUCTION else (f"{app}@{label}", f"{app} --label {label}")
    text = f"{called} now serves {serves(found, label)}. Undo: noria rollback {back}"
    show(release, lambda console: console.print(text))


@click.command()
@click.argument("app")
@click.option("--reason", default="", help="Why; kept with the release.")
@click.option("--label", default=PRODUCTION, help="Of the release labelled so.")
@with_api()
async def rollback(api: Api, show: Show, app: str, reason: str, label: str) -> None:
    """Go back to the release before the one in force: noria rollback triage --reason "too slow"."""
    release = await api.post(f"/api/apps/{in_path(app)}/rollback", Release, RollBack(reason=reason, label=label))
    found = await api.get(f"/api/apps/{in_path(app)}", App)
    called = app if label == PRODUCTION else f"{app}@{label}"
    show(release, lambda console: console.print(f"{called} serves {serves(found, label)} again."))


def _beside(app: App, shares: tuple[WeightedVariant, ...], part: float, label: str) -> tuple[WeightedVariant, ...]:
    """A release in which one variant has a part of the traffic, and what is in force the rest, in its proportions."""
    if not (len(shares) == 1 and 0 < part < 1):
        raise InvalidInput("--part is more than 0 and less than 1, and goes with one variant.")
    named = {variant.name: variant.variant_id for variant in app.variants}
    new = named.get(shares[0].variant, shares[0].variant)
    release = app.released(label)
    others = [share for share in release.shares if share.variant_id != new] if release else []
    if not others:
        raise InvalidInput(f"No other variant of {app.name} is in force.", hint=f"noria promote {app.name} VARIANT")
    total = sum(share.weight for share in others)
    rest = [WeightedVariant(variant=share.variant_id, weight=share.weight / total * (1 - part)) for share in others]
    return (*rest, WeightedVariant(variant=new, weight=part))


def _share(text: str) -> WeightedVariant:
    name, has_weight, weight = text.partition("=")
    try:
        return WeightedVariant(variant=name, weight=float(weight) if has_weight else 1.0)
    except ValueError as error:
        raise InvalidInput(f"{text!r}: the weight is not a number.") from error
