"""``noria``: finds the command, runs it, and turns errors into sentences and exit codes.

Exit codes: 0 done (all gates passed), 1 a gate failed, 2 an error, 130 interrupted.
"""

from __future__ import annotations

import importlib
import sys

import click
from click.shell_completion import CompletionItem

import noria
from noria.cli.groups import Group
from noria.cli.terminal import obey_no_color, prepare_streams, silence_stdout

COMMANDS: dict[str, tuple[str, str]] = {
    "apps": ("noria.cli.apps:apps", "Apps, their variants and releases."),
    "audit": ("noria.cli.audit:audit", "The audit log: list and verify."),
    "backup": ("noria.cli.backup:backup", "Write everything into one file, while a server runs."),
    "budgets": ("noria.cli.limits:budgets", "Budgets: limits on money."),
    "cache": ("noria.cli.cache:cache", "Kept replies: when two questions are one."),
    "datasets": ("noria.cli.datasets:datasets", "Data sets and their versions."),
    "demo": ("noria.cli.demo:demo", "Once round the loop, on a real model and real data."),
    "eval": ("noria.cli.evaluate:evaluate", "Run an evaluation file; resumes what was interrupted."),
    "experiments": ("noria.cli.experiments:experiments", "Experiments: list, show, compare."),
    "gateway": ("noria.cli.gateway:gateway", "The gateway: how it stands, whether each provider is well."),
    "help": ("noria.cli.help:help_command", "Show the help of a command."),
    "intake": ("noria.cli.intake:intake", "Records from elsewhere: what was wrong with them."),
    "keys": ("noria.cli.keys:keys", "Virtual keys: who may call what."),
    "limits": ("noria.cli.limits:limits", "Limits on requests, tokens, money and concurrent calls."),
    "login": ("noria.cli.login:login", "Print a link that logs a browser in."),
    "migrate-store": ("noria.cli.migrate_store:migrate_store", "Copy all traces into another store."),
    "models": ("noria.cli.models:models", "Local models: pull, list, remove."),
    "monitors": ("noria.cli.monitors:monitors", "Scorers on live traffic."),
    "prices": ("noria.cli.prices:prices", "What calls cost, and where nobody knows."),
    "promote": ("noria.cli.releases:promote", "Put a variant of an app in force."),
    "prompts": ("noria.cli.prompts:prompts", "Prompts: push, list, show, diff, label."),
    "reload": ("noria.cli.reload:reload", "Have the server read its configuration again."),
    "restore": ("noria.cli.backup:restore", "Restore a backup into a new data folder."),
    "retention": ("noria.cli.retention:retention", "How long records are kept."),
    "rollback": ("noria.cli.releases:rollback", "Take the release in force back."),
    "schema": ("noria.cli.schema:schema", "Print the JSON Schema of the evaluation file."),
    "scorers": ("noria.cli.scorers:scorers", "The kinds of scorer and their options."),
    "scores": ("noria.cli.scores:scores", "Scores: list, add."),
    "secrets": ("noria.cli.secrets:secrets", "Keys of providers, encrypted at rest."),
    "serve": ("noria.cli.serve:serve", "Start one of several servers on shared stores."),
    "sessions": ("noria.cli.sessions:sessions", "Sessions: calls that belong together."),
    "traces": ("noria.cli.traces:traces", "The record: list, search, show, tail, stats, export, import."),
    "up": ("noria.cli.up:up", "Start the server and its page."),
    "users": ("noria.cli.users:users", "End users: list, erase one, receipts."),
}
"""Command -> where it is, and the line that ``noria --help`` shows for it."""


class _Commands(Group):
    """Imports a command when it is run, so that help and completion are instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        place, _ = COMMANDS[cmd_name]
        module, _, name = place.partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands that begin so, without importing them; or options."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=line) for name, (_, line) in COMMANDS.items() if name.startswith(incomplete)]


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`noria COMMAND --help` tells more. Settings and environment variables: docs/settings.md.",
)
@click.version_option(noria.__version__, prog_name="noria")
@click.pass_context
def commands(context: click.Context) -> None:
    """Noria: choose, adapt, evaluate, infer, serve and monitor LLM applications, on one record."""
    obey_no_color(context)


def main() -> None:
    """Run the command line and exit."""
    prepare_streams()
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough
        code = 0
        silence_stdout()
    sys.exit(code)


def _run() -> int:
    """Run a command; its exit code."""
    try:
        commands(prog_name="noria", standalone_mode=False)
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help())
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except click.ClickException as error:
        error.show()
        return 2
    return 0
