"""``noria prompts``: push, list, show, diff, label."""

from __future__ import annotations

from pathlib import Path

import click

from noria.cli.api import Api, part
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import examples, group
from noria.cli.tables import coloured, short_id, table, when
from noria.core.errors import InvalidInput
from noria.core.prompts import PromptVersion
from noria.serve.shapes import PushedPrompt, PushPrompt, SetLabel


@group()
def prompts() -> None:
    """Prompts are versioned templates; labels such as `production` point at versions."""


@prompts.command(
    epilog=examples(
        "noria prompts push prompts/triage.md --label staging", 'noria prompts push prompts/*.md --note "shorter"'
    )
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--name", help="Push under this name instead of the file's.")
@click.option("--label", "labels", multiple=True, help="Point this label at the version.")
@click.option("--note", default="", help="Why this version is made.")
@with_api()
async def push(
    api: Api, show: Show, files: tuple[Path, ...], name: str | None, labels: tuple[str, ...], note: str
) -> None:
    """Push prompt files (Markdown or YAML). The same content makes no new version."""
    from noria.assemble.files import read_prompt  # noqa: PLC0415  # YAML and templates, which `list` need not load

    if name and len(files) > 1:
        raise InvalidInput("--name goes with one file.")
    parsed = [read_prompt(path) for path in files]
    pushed = [
        await api.post(
            "/api/prompts",
            PushedPrompt,
            PushPrompt(name=name or file.name, prompt=file.prompt, note=note or file.note, labels=labels),
        )
        for file in parsed
    ]

    def draw(console: Console) -> None:
        for one in pushed:
            said = "new" if one.new else "as before"
            console.print(f"{one.version.name}@{one.version.version}  {short_id(one.version.prompt_id)}  {said}")

    show(pushed, draw)


@prompts.command("list")
@with_api(reads_only=True)
async def list_prompts(api: Api, show: Show) -> None:
    """List prompts with their latest version."""
    found = await api.get("/api/prompts", list[PromptVersion])

    def draw(console: Console) -> None:
        if not found:
            console.print("No prompts yet. Push one: noria prompts push FILE.md")
            return
        rows = [
            (p.name, p.version, short_id(p.prompt_id), ", ".join(p.labels), when(p.created_ns), p.note) for p in found
        ]
        headers = ("name", "latest", "id", "labels", "pushed", "note")
        spare = ("pushed",)
        console.print(table(*headers, rows=rows, right=["latest"], prose=["note"], spare=spare, hide_empty=["note"]))

    show(found, draw)


@prompts.command("show")
@click.argument("ref")
@click.option("--versions", is_flag=True, help="List all versions instead.")
@with_api(reads_only=True)
async def show_prompt(api: Api, show: Show, ref: str, versions: bool) -> None:
    """Show a prompt: NAME, NAME@3, NAME@production or NAME@ID."""
    if versions:
        found = await api.get(f"/api/prompts/{part(ref.partition('@')[0])}/versions", list[PromptVersion])
        rows = [
            (p.version, short_id(p.prompt_id), ", ".join(p.labels), when(p.created_ns), p.created_by, p.note)
            for p in found
        ]
        headers = ("version", "id", "labels", "pushed", "by", "note")
        drawn = table(*headers, rows=rows, right=["version"], prose=["note", "by"], spare=["by"], hide_empty=["note"])
        show(found, lambda console: console.print(drawn))
        return
    from noria.assemble.files import dump_markdown  # noqa: PLC0415  # see above

    version = await fetch(api, ref)
    show(version, lambda console: console.print(dump_markdown(version.name, version.prompt, version.note).rstrip()))


@prompts.command("diff")
@click.argument("old")
@click.argument("new")
@with_api(reads_only=True)
async def diff_prompts(api: Api, show: Show, old: str, new: str) -> None:
    """Show how two versions differ: noria prompts diff triage@1 triage@2."""
    from noria.assemble.files import diff  # noqa: PLC0415  # see above

    text = diff(await fetch(api, old), await fetch(api, new))

    def draw(console: Console) -> None:
        if not text:
            console.print("No difference.")
        for line in text.splitlines():
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            console.print(coloured(line, colour or ""))

    show({"diff": text}, draw)


@prompts.command()
@click.argument("ref")
@click.argument("label")
@with_api()
async def label(api: Api, show: Show, ref: str, label: str) -> None:
    """Point a label at a version: noria prompts label triage@2 production."""
    name, _, version = ref.partition("@")
    if not version:
        raise InvalidInput(f"Say which version of {name!r}: {name}@2, or {name}@staging.")
    moved = await api.put(f"/api/prompts/{part(name)}/labels/{part(label)}", PromptVersion, SetLabel(ref=version))
    show(moved, lambda console: console.print(f"{name}@{label} is now version {moved.version}."))


async def fetch(api: Api, ref: str) -> PromptVersion:
    """The version that ``name`` or ``name@ref`` stands for."""
    name, _, version = ref.partition("@")
    return await api.get(f"/api/prompts/{part(name)}", PromptVersion, ref=version or None)
