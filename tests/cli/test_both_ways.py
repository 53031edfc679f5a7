"""Every command says the same whether a server runs or not (decision 0001)."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from noria_cli import Noria, write_project
from upstream import Upstream

COMMANDS = [
    "apps list", "apps show triage", "apps show nobody", "datasets list", "datasets show rows",
    "datasets show rows --limit 1 --json", "experiments list", "experiments show {experiment}", "experiments show zzz",
    "experiments compare {experiment}", "experiments list --json", "models list", "models remove nobody",
    "models list --json", "monitors list", "monitors detach nobody", "prompts list", "prompts show triage@1",
    "prompts show triage --versions", "prompts diff triage@1 short@1", "prompts label triage nowhere",
    "prompts label triage@7 here", "promote triage nobody", "rollback triage", "scorers", "schema", "traces list",
    "traces show {trace}", "traces show zzz", "traces list --json", "traces search positive", "traces stats --bucket day",
    "traces list --limit 2 --status ok --where attributes.x=null", "traces list --since never", "sessions list",
    "sessions show nobody", "users list --json", "promote triage plain=0",
    "monitors attach triage exact", "apps show a/b", "eval {file} --check",
]  # fmt: skip


class Said(NamedTuple):
    code: int
    out: str
    err: str


def say(noria: Noria, line: str, environ: dict[str, str] | None = None) -> Said:
    result = noria.here(*line.split(), environ=environ)
    return Said(result.exit_code, result.stdout, result.stderr)


class Both(NamedTuple):
    noria: Noria
    lines: dict[str, str]
    alone: dict[str, Said]
    url: str
    key: str


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    root = tmp_path_factory.mktemp("both")
    upstream = Upstream()
    noria = Noria(root / "data", {"NORIA_PROVIDERS": upstream.providers})
    file = write_project(root / "project", app="triage", variants=["plain", "short"], cases=4)
    assert noria.here("eval", file).exit_code == 0
    noria.here("prompts", "push", file.with_name("short.md"), "--name", "short")
    noria.here("apps", "add", "triage", "plain", "--model", "fake/small", "--prompt", "triage@1")
    noria.here("promote", "triage", "plain", "--reason", "first")
    names = {
        "experiment": noria.json("experiments", "list")[0]["id"][:8],
        "trace": noria.json("traces", "list")[0]["trace_id"][:16],
        "file": str(file),
    }
    lines = {line: line.format(**names) for line in COMMANDS}
    alone = {line: say(noria, said) for line, said in lines.items()}
    with noria.start("up", "--port", "0") as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[4]
        yield Both(noria, lines, alone, url, (noria.folder / "admin.key").read_text().strip())
        server.terminate()
        assert server.wait(timeout=30) == 0
        assert server.stderr is not None
        assert "Traceback" not in server.stderr.read()
    upstream.close()


@pytest.mark.parametrize("line", COMMANDS)
def test_with_the_folder_s_own_server(both: Both, line: str) -> None:
    assert both.alone[line].out or both.alone[line].err, "it says something"
    assert say(both.noria, both.lines[line]) == both.alone[line]


@pytest.mark.parametrize(
    "line", ["prompts list", "experiments show {experiment}", "apps show nobody", "eval {file} --check"]
)
def test_with_a_server_that_is_named(both: Both, line: str, tmp_path: Path) -> None:
    environ = {"NORIA_URL": both.url, "NORIA_API_KEY": both.key, "NORIA_DATA": str(tmp_path / "elsewhere")}
    assert say(both.noria, both.lines[line], environ) == both.alone[line]
    assert not (tmp_path / "elsewhere").exists()


def test_login_needs_the_server(both: Both) -> None:
    link = both.noria.here("login").stdout.strip()
    assert link.startswith(f"{both.url}/login?token=")
    assert both.noria.json("login")["link"].startswith(f"{both.url}/login?token=")


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"NORIA_API_KEY": "wrong"}, "Set NORIA_API_KEY to this server's key"),
        ({"NORIA_API_KEY": "wr\nong"}, "characters that can't be sent"),
        (
            {"NORIA_URL": "http://127.0.0.1:1", "NORIA_API_KEY": "k"},
            "There is no server at http://127.0.0.1:1: connection",
        ),
        ({"NORIA_URL": "http://127.0.0.1:1"}, "There is no key for http://127.0.0.1:1"),
        ({"NORIA_URL": "127.0.0.1:7700", "NORIA_API_KEY": "k"}, "is no server's URL"),
        ({"NORIA_URL": "http://[::1", "NORIA_API_KEY": "k"}, "is no server's URL"),
    ],
)
def test_the_way_to_the_server_is_wrong(both: Both, environ: dict[str, str], sentence: str) -> None:
    said = say(both.noria, "prompts list", environ)
    assert said.code == 2
    assert said.out == ""
    assert sentence in said.err


def test_the_folder_and_its_port_are_taken(both: Both) -> None:
    again = both.noria.run("up", "--port", both.url.rpartition(":")[2])
    assert again.returncode == 2
    assert 'is served already, by "noria up" (process' in again.stderr
    assert "noria login" in again.stderr
