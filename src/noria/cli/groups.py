"""Groups of commands that know what was meant by a mistyped name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import click


class Group(click.Group):
    """A click group that suggests the nearest names."""

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


def group(name: str | None = None) -> Callable[[Callable[..., Any]], Group]:
    """``click.group`` of this kind."""
    return click.group(name, cls=Group)


def examples(*lines: str) -> str:
    """Command lines to show at the end of a command's help, as they are typed."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
