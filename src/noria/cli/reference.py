"""``docs/cli.md``, made from the commands themselves, so that it can't be wrong.

python -m noria.cli.reference > docs/cli.md
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from noria.cli.main import COMMANDS, commands

HEAD = """# The command line

*Made from the commands by `python -m noria.cli.reference`; a test compares.*

Every command works on the running server of its data folder, or of `--url`; where none runs, on the folder itself, with
the same result. Settings and environment variables: [settings.md](settings.md).

- `--json` prints what the API returns, for programs; errors are then JSON on standard error: `{"error": {"code": ...,
  "message": ..., "kept": ..., "hint": ...}}`.
- Results go to standard output; remarks, progress and errors to standard error. A table leaves columns out rather than
  break an id; where standard output is no terminal it has 120 columns, or as many as `COLUMNS` says.
- Ids may be shortened to their beginning wherever one is asked for.
- `NO_COLOR` turns colours off. Terminals that don't speak UTF-8 get plain characters.
- Exit codes: 0 done (all gates passed), 1 a gate failed, 2 an error, 130 interrupted (what was finished is kept).

Completion of commands and options: `eval "$(_NORIA_COMPLETE=bash_source noria)"` in `~/.bashrc`,
`eval "$(_NORIA_COMPLETE=zsh_source noria)"` in `~/.zshrc`, `_NORIA_COMPLETE=fish_source noria | source` in
`~/.config/fish/config.fish`.
"""

SHARED = frozenset({"data", "url", "as_json"})
"""Options that nearly every command has."""


def reference() -> str:
    """The page."""
    return "\n".join([HEAD, *_lines()]).rstrip() + "\n"


def every_command() -> Iterator[tuple[str, click.Command]]:
    """Each command with its name as it is typed, groups too."""
    context = click.Context(commands)
    for name in COMMANDS:
        command = commands.get_command(context, name)
        if command is None:
            raise LookupError(name)
        yield f"noria {name}", command
        if isinstance(command, click.Group):
            for inner, found in sorted(command.commands.items()):
                yield f"noria {name} {inner}", found


def _lines() -> Iterator[str]:
    for name, command in every_command():
        if isinstance(command, click.Group):
            yield f"## {name}\n\n{_prose(command)}\n"
            continue
        arguments = [
            one.make_metavar(click.Context(command)) for one in command.params if isinstance(one, click.Argument)
        ]
        level = "##" if name.count(" ") == 1 else "###"
        yield f"{level} {' '.join([name, *arguments])}\n\n{_prose(command)}\n"
        options = [one for one in command.params if isinstance(one, click.Option) and one.name not in SHARED]
        if options:
            yield "\n".join(f"- {_option(one)}" for one in options) + "\n"
        if command.epilog:
            typed = [line.strip() for line in command.epilog.splitlines()[2:]]
            yield "\n".join(["```sh", *typed, "```", ""])


def _prose(command: click.Command) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))


def _option(option: click.Option) -> str:
    metavar = "" if option.is_flag else f" {option.make_metavar(click.Context(commands)).removesuffix(' RANGE')}"
    shown = f" (default: {option.default})" if option.show_default else ""
    return f"`{', '.join(option.opts)}{metavar}`: {option.help}{shown}"


if __name__ == "__main__":
    click.echo(reference(), nl=False)
