"""``noria schema``: the evaluation file's JSON Schema, for editors."""

from __future__ import annotations

import click
import msgspec


@click.command()
def schema() -> None:
    """Print the JSON Schema of the evaluation file, with the scorers that are installed here."""
    from noria.assemble.files import published_schema  # noqa: PLC0415  # `noria --help` need not pay

    click.echo(msgspec.json.format(msgspec.json.encode(published_schema()), indent=2).decode())
