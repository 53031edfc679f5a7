"""``noria help``: the help of a command, for people who ask for it in words."""

from __future__ import annotations

import click


@click.command("help")
@click.argument("command", nargs=-1)
@click.pass_context
def help_command(context: click.Context, command: tuple[str, ...]) -> None:
    """Show the help of a command: noria help prompts push."""
    here = context.find_root()
    for name in command:
        if not isinstance(here.command, click.Group):
            raise click.UsageError(f"{here.command_path!r} has no commands.", here)
        _, found, _ = here.command.resolve_command(here, [name])
        if found is None:
            raise click.UsageError(f"There is no command {name!r}.", here)
        here = click.Context(found, parent=here, info_name=name)
    click.echo(here.get_help())
