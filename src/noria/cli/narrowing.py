"""Options that narrow a list of spans, the same for every command that has one. The server reads their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_NAMES = ("app", "model", "status", "operation", "session", "user", "key", "since", "until", "where", "score")


def narrowing(function: F) -> F:
    """Add the options; :func:`narrowed` collects their values."""
    for option in reversed(
        [
            click.option("--app", help="Only of this app."),
            click.option("--model", help="Only of this model, as it was asked for."),
            click.option("--status", type=click.Choice(["ok", "error", "cancelled"]), help="Only with this status."),
            click.option("--operation", metavar="KIND", help="Only of this kind: chat, execute_tool, invoke_agent ..."),
            click.option("--session", help="Only of this session."),
            click.option("--user", help="Only of this end user."),
            click.option(
                "--key", help="Only of this virtual key, by name or id; what Noria asked on its account included."
            ),
            click.option("--since", metavar="TIME", help="Not before: 2h (ago), 2026-11-25, 2026-11-25T08:00Z."),
            click.option("--until", metavar="TIME", help="Before this time."),
            click.option(
                "--where",
                multiple=True,
                metavar="CONDITION",
                help="Condition on a column: 'duration_s>2', 'attributes.tier=gold', 'name~chat'. Several must all hold.",
            ),
            click.option(
                "--score",
                multiple=True,
                metavar="CONDITION",
                help="Condition on scores: 'correct<0.5', 'tone=rude', correct, '!correct'. Several must all hold.",
            ),
        ]
    ):
        function = option(function)
    return function


def narrowed(given: dict[str, Any]) -> dict[str, Any]:
    """Query parameters of the options that were given."""
    return {name: list(value) if isinstance(value, tuple) else value for name in _NAMES if (value := given[name])}
