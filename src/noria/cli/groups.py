"""Groups of commands that know what was meant by a mistyped name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

import click


class Group(click.Group):
    """A click group that suggests the nearest names.

    Arguments:
        alone: commands, of which the first that has all given options is meant where none is named; by default the help
            is shown.
    """

    def __init__(self, *arguments: Any, alone: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._alone = alone
        if alone:
            self.no_args_is_help = False

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line; without a command's name it is that of the one that is meant."""
        if self._alone and (not args or (args[0].startswith("-") and args[0] not in self.get_help_option_names(ctx))):
            args = [self._meant(ctx, args), *args]
        return super().parse_args(ctx, args)

    def _meant(self, ctx: click.Context, args: Sequence[str]) -> str:
        given = {name.partition("=")[0] for name in args if name.startswith("-")}
        for name in self._alone:
            command = self.get_command(ctx, name)
            if command is not None and given <= {option for one in command.params for option in one.opts}:
                return name
        return self._alone[0]  # it says what it does not know

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; where there is none, say which one may be meant."""
        name = args[0]
        if name not in self.list_commands(ctx) and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=3)
            meant = (
                f" Did you mean {' or '.join(near)}?" if near else f" There are: {', '.join(self.list_commands(ctx))}."
            )
            ctx.fail(f"There is no command {name!r}.{meant}")
        return super().resolve_command(ctx, args)


def group(name: str | None = None, *, alone: Sequence[str] = ()) -> Callable[[Callable[..., Any]], Group]:
    """``click.group`` of this kind."""
    return click.group(name, cls=Group, alone=alone)


def examples(*lines: str) -> str:
    """Command lines to show at the end of a command's help, as they are typed."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
