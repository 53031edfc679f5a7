"""What the documents say is tried: links lead somewhere, commands exist, files are right, code runs."""

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from noria.cli.main import COMMANDS, commands
from noria.evaluate.files.evalfile import parse

ROOT = Path(__file__).parent.parent
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
PAGES = [ROOT / name for name in TRACKED if name.endswith(".md") and "/prompts/" not in name]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")


def fences(language: str) -> list[tuple[str, str]]:
    return [
        (path.relative_to(ROOT).as_posix(), body)
        for path in PAGES
        for found, body in FENCE.findall(path.read_text())
        if found == language
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def command_lines() -> list[tuple[str, str]]:
    lines = [(page, line) for page, body in fences("sh") + fences("console") for line in body.splitlines()]
    return [(page, line.removeprefix("$ ").split("  #")[0]) for page, line in lines if "noria " in line.split("#")[0]]


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_commands_in_the_documents_exist(page: str, line: str) -> None:
    words = shlex.split(line)
    while words and not words[0].endswith("noria"):
        words.pop(0)  # environment variables, and what stands before a pipe
    words = words[1 : words.index("|") if "|" in words else None]
    command: click.Command = commands
    # As the program makes it: click keeps the help option of the first context that a command meets.
    context = click.Context(command, info_name="noria", **commands.context_settings)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"{page}: noria {words[0]}"
        command, words = found, words[1:]
    if words and not isinstance(command, click.Group):
        command.make_context("noria", words, resilient_parsing=False)


@pytest.mark.parametrize(("page", "text"), [(p, t) for p, t in fences("yaml") if "scorers:" in t and "variants:" in t])
def test_evaluation_files_in_the_documents_are_right(page: str, text: str) -> None:
    assert parse(text.encode(), name=page, folder=ROOT).file.variants


@pytest.mark.parametrize(("page", "code"), fences("python"))
def test_code_in_the_documents_is_python(page: str, code: str) -> None:
    compile(code, page, "exec")


def test_the_readme_names_every_room_and_nothing_else() -> None:
    rooms = {path.name + ("/" if path.is_dir() else "") for path in (ROOT / "src" / "noria").iterdir()}
    rooms = {room for room in rooms if not room.startswith(("_", "py.typed"))}
    named = set(re.findall(r"^\| `([a-z_.]+/?)` \|", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert named == rooms


def test_every_command_has_a_line_of_help_that_is_its_own() -> None:
    context = click.Context(commands)
    for name in COMMANDS:
        command = commands.get_command(context, name)
        assert command is not None
        assert command.help, f"noria {name} has no help"


def test_locks_name_no_address() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in path.read_text(), path.name
