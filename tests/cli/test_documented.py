"""The pages about the command line and the settings are complete and true."""

import json
import re
import tomllib
from pathlib import Path

import click
import msgspec
import pytest

from noria.cli.reference import every_command, reference
from noria.settings import OTHER_VARIABLES, VARIABLES, Provider, Settings

DOCS = Path(__file__).parents[2] / "docs"
SETTINGS = (DOCS / "settings.md").read_text()


def test_the_page_is_what_the_commands_say() -> None:
    assert (DOCS / "cli.md").read_text() == reference(), "run: python -m noria.cli.reference > docs/cli.md"


@pytest.mark.parametrize(
    ("name", "command"), list(every_command()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_tells_its_purpose_and_options(name: str, command: click.Command) -> None:
    assert command.help
    assert command.help.split("\n")[0].rstrip().endswith((".", ":")), f"{name}: one sentence first"
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.opts}"
            assert option.help.endswith((".", ")")), f"{name} {option.opts}"


@pytest.mark.parametrize(
    ("name", "command"), list(every_command()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_that_shows_something_has_json(name: str, command: click.Command) -> None:
    without = {"noria up", "noria gateway up", "noria serve", "noria demo", "noria help", "noria schema"}
    if not isinstance(command, click.Group) and name not in without:
        assert any("--json" in option.opts for option in command.params), name


def rows(first: str) -> dict[str, list[str]]:
    """Rows of the tables whose header begins so, by their first cell."""
    found = re.findall(rf"^\| {re.escape(first)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", SETTINGS, re.MULTILINE)
    cells = [
        [cell.strip().strip("`") for cell in line.strip("|\n ").split("|")]
        for table in found
        for line in table.splitlines()
    ]
    return {row[0]: row for row in cells}


def test_every_setting_is_documented_with_its_variable_and_default() -> None:
    documented = rows("key in `noria.toml`")
    assert list(documented) == list(Settings.__struct_fields__)
    for field, row in documented.items():
        assert row[1] == VARIABLES[field]
        default = getattr(Settings(), field)
        assert row[3] == (
            str(default)
            if default
            else "none"
            if field in {"allowed_hosts", "providers", "caches", "prices", "routes", "aliases", "guards"}
            else "empty"
        )
        assert len(row[4]) > 20


def test_every_other_variable_is_documented() -> None:
    assert set(OTHER_VARIABLES) <= set(rows("variable"))
    mentioned = set(re.findall(r"NORIA_[A-Z_]+", SETTINGS))
    assert mentioned == set(VARIABLES.values()) | set(OTHER_VARIABLES)


def test_every_key_of_a_provider_is_documented_with_its_default() -> None:
    documented = rows("key")
    assert list(documented) == list(Provider.__struct_fields__)
    for field in msgspec.structs.fields(Provider):
        default = "none" if field.default_factory is not msgspec.NODEFAULT else str(field.default).lower()
        if isinstance(field.default, tuple):
            default = json.dumps(field.default)
        expected = "required" if field.required else default or "empty"
        assert documented[field.name][1] == expected


def test_the_example_is_right() -> None:
    [example] = re.findall(r"```toml\n(.*?)```", SETTINGS, re.DOTALL)
    assert msgspec.convert(tomllib.loads(example), Settings).provider("lab")
