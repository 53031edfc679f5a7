"""The program itself: help, suggestions, completion, pipes, terminals."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from noria_cli import PROGRAM, Noria, write_project

from noria.cli.main import COMMANDS, commands, main


def exit_code_of_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["noria", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize(
    "arguments", [(), ("--help",), ("prompts",), ("help",), ("help", "prompts", "push"), ("eval", "-h")]
)
def test_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert exit_code_of_main(monkeypatch, *arguments) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("Usage: noria")
    assert shown.err == ""


def test_help_of_a_command_is_its_help(noria: Noria) -> None:
    assert noria.here("help", "prompts", "push").stdout == noria.here("prompts", "push", "--help").stdout
    assert "Examples:\n    noria prompts push" in noria.here("help", "prompts", "push").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("promts",), "There is no command 'promts'. Did you mean prompts"),
        (("prompts", "lst"), "There is no command 'lst'. Did you mean list?"),
        (("xyz",), "There are: apps, audit"),
        (("help", "prompts", "psh"), "Did you mean push?"),
        (("help", "prompts", "push", "deeper"), "has no commands"),
        (("prompts", "list", "--jsn"), "--json"),
        (("prompts", "push"), "Missing argument 'FILES...'"),
        (("traces", "list", "--limit", "0"), "--limit"),
        (("up", "--port", "70000"), "--port"),
    ],
)
def test_mistakes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    assert exit_code_of_main(monkeypatch, *arguments) == 2
    assert sentence in capsys.readouterr().err


def test_completion_knows_every_command_without_importing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "get_command", lambda _, name: pytest.fail(f"imports {name}"))
    context = commands.make_context("noria", [], resilient_parsing=True)
    assert [item.value for item in commands.shell_complete(context, "")] == list(COMMANDS)
    assert [item.value for item in commands.shell_complete(context, "pro")] == ["promote", "prompts"]
    assert "--version" in [item.value for item in commands.shell_complete(context, "--v")]


def test_completion_in_a_shell() -> None:
    environ = {**os.environ, "_NORIA_COMPLETE": "bash_complete", "COMP_WORDS": "noria prompts pu", "COMP_CWORD": "2"}
    done = subprocess.run([PROGRAM], env=environ, capture_output=True, text=True, check=False)
    assert done.stdout == "plain,push\n"


def test_a_folder_that_is_only_looked_at_is_not_made(noria: Noria) -> None:
    result = noria.here("prompts", "list")
    assert result.exit_code == 0
    assert result.stdout == "No prompts yet. Push one: noria prompts push FILE.md\n"
    assert result.stderr == f"There is no data folder at {noria.folder} yet.\n"
    assert not noria.folder.exists()
    assert noria.json("prompts", "list") == []


def test_errors_are_json_when_results_are(noria: Noria) -> None:
    result = noria.here("prompts", "show", "nope", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stderr)["error"]["code"] == "unknown_name"
    assert result.stdout == ""


def test_a_reader_that_goes_away_is_no_error_and_keeps_the_exit_code(noria: Noria, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    file = write_project(tmp_path / "project", pass_if="accuracy.mean < 0.5")
    with noria.start("eval", file, stdout=writing) as process:
        os.close(writing)
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 1, "a gate failed, whoever reads"


def test_a_terminal_without_utf_8_a_home_or_a_user_name(noria: Noria, tmp_path: Path) -> None:
    file = write_project(tmp_path / "project", pass_if="accuracy.mean > 0.5")
    environ = {"PYTHONIOENCODING": "ascii", "HOME": "", "USER": "", "LOGNAME": "", "NO_COLOR": "1"}
    done = noria.run("eval", file, environ=environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "+ gate accuracy.mean > 0.5" in done.stdout
    assert "===o" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("place", ["file", "missing/under/proc"])
def test_a_folder_that_cannot_be(noria: Noria, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" if place == "file" else Path("/proc/noria")
    result = noria.here("apps", "create", "x", "--data", folder)
    assert result.exit_code == 2
    assert str(folder) in result.stderr
    assert "Traceback" not in result.stderr
