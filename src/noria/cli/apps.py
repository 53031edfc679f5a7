"""``noria apps``: make, list, show, and give variants."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from noria.cli.api import Api, part
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import examples, group
from noria.cli.tables import short_id, table, when
from noria.core.apps import PRODUCTION, App, NamedVariant, Release
from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput
from noria.core.requests import Parameters
from noria.serve.shapes import PutApp, PutVariant


@group()
def apps() -> None:
    """An app is a named job with variants; its release says who gets which."""


@apps.command("list")
@with_api(reads_only=True)
async def list_apps(api: Api, show: Show) -> None:
    """List apps and what serves them."""
    found = await api.get("/api/apps", list[App])

    def draw(console: Console) -> None:
        if not found:
            console.print("No apps yet. Make one: noria apps create NAME")
            return
        rows = [(app.name, len(app.variants), serves(app), app.description) for app in found]
        console.print(
            table(
                "name",
                "variants",
                "serves",
                "description",
                rows=rows,
                right=["variants"],
                prose=["description", "serves"],
                spare=["variants"],
            )
        )

    show(found, draw)


@apps.command()
@click.argument("name")
@click.option("--description", default="", help="What it is for.")
@with_api()
async def create(api: Api, show: Show, name: str, description: str) -> None:
    """Make an app, or change its description: noria apps create triage."""
    app = await api.post("/api/apps", App, PutApp(name=name, description=description))
    said = f"App {app.name} is there. Give it a variant: noria apps add {app.name} VARIANT --model PROVIDER/MODEL"
    show(app, lambda console: console.print(said))


@apps.command(
    epilog=examples(
        "noria apps add triage plain --model local/smollm2-135m --prompt triage@1",
        "noria apps add triage sure --model openai/gpt-5 --prompt triage@production --params '{\"temperature\": 0}'",
    )
)
@click.argument("app")
@click.argument("variant")
@click.option("--model", required=True, help="provider/model, such as local/smollm2-135m.")
@click.option("--prompt", help="NAME, NAME@3, NAME@label; by default the caller's messages are sent as they are.")
@click.option("--params", default="{}", help='Decoding parameters as JSON, such as {"temperature": 0}, or @FILE.')
@with_api()
async def add(api: Api, show: Show, app: str, variant: str, model: str, prompt: str | None, params: str) -> None:
    """Give an app a variant, which `noria promote` puts in force."""
    body = PutVariant(model=model, prompt=prompt, params=_parameters(params))
    before = (await api.get(f"/api/apps/{part(app)}", App)).variants
    named = await api.put(f"/api/apps/{part(app)}/variants/{part(variant)}", NamedVariant, body)
    for old in before:
        if old.name == named.name and old.variant_id != named.variant_id:
            show.note(f"{app}@{named.name} was {short_id(old.variant_id)}; a release that serves it goes on doing so.")
    show(
        named,
        lambda console: console.print(
            f"{app}@{named.name} is {short_id(named.variant_id)}. Put it in force: noria promote {app} {named.name}"
        ),
    )


@apps.command("show")
@click.argument("name")
@with_api(reads_only=True)
async def show_app(api: Api, show: Show, name: str) -> None:
    """Show an app's variants and every release: who, when, why."""
    app = await api.get(f"/api/apps/{part(name)}", App)
    releases = await api.get(f"/api/apps/{part(name)}/releases", list[Release])

    def draw(console: Console) -> None:
        console.print(f"{app.name}  {app.description}".rstrip(), "")
        rows = [(v.name, short_id(v.variant_id), v.variant.model, short_id(v.variant.prompt_id)) for v in app.variants]
        if rows:
            console.print(table("variant", "id", "model", "prompt", rows=rows, spare=["prompt"]), "")
        else:
            console.print(f"No variant yet. Give it one: noria apps add {app.name} VARIANT --model PROVIDER/MODEL")
        history = [
            (
                when(r.created_ns), "" if r.label == PRODUCTION else r.label, _shares(app, r), r.created_by,
                ("rollback. " if r.rolled_back_from else "") + r.reason,
            )
            for r in releases
        ]  # fmt: skip
        if history:
            heads = ("released", "label", "serves", "by", "why")
            console.print(table(*heads, rows=history, prose=["why", "serves", "by"], hide_empty=["label"]))
        else:
            console.print(f"No release yet. Put a variant in force: noria promote {app.name} VARIANT")

    show({"app": app, "releases": releases}, draw)


def serves(app: App, label: str = PRODUCTION) -> str:
    """Who answers an app's callers, or those of ``app@label``."""
    release = app.released(label)
    return _shares(app, release) if release else "nobody yet"


def _shares(app: App, release: Release) -> str:
    names = {variant.variant_id: variant.name for variant in app.variants}
    total = sum(share.weight for share in release.shares)
    parts = [
        names.get(share.variant_id, short_id(share.variant_id))
        + (f" {share.weight / total:.0%}" if len(release.shares) > 1 else "")
        for share in release.shares
    ]
    parts += [
        f"{names.get(one.variant_id, short_id(one.variant_id))} as a shadow {one.weight:.0%}" for one in release.shadows
    ]
    return ", ".join(parts)


def _parameters(given: str) -> Parameters:
    """Decoding parameters from JSON, or from the file after an ``@``."""
    try:
        text = Path(given[1:]).read_bytes() if given.startswith("@") else given.encode()
        return msgspec.json.decode(text, type=Parameters)
    except (*UNREADABLE, OSError) as error:
        raise InvalidInput(f"--params: {error}.") from error
