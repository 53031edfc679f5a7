"""``noria schema``: the evaluation file's JSON Schema, for editors."""

from __future__ import annotations

import click

from noria.cli.command import Show


@click.command()
def schema() -> None:
    """Print the JSON Schema of the evaluation file, with the scorers that are installed here."""
    from noria.assemble.files import published_schema  # noqa: PLC0415  # `noria --help` need not pay

    Show(as_json=True)(published_schema(), lambda _: None)
