"""Whatever is wrong is said in a sentence, with exit code 2, and nothing is half-written. All through the real program."""

import json
import shutil
import socket
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest
from noria_cli import Noria, write_project
from upstream import Upstream

POSIX = pytest.importorskip("resource", reason="limits of a process are POSIX")


def said(result: subprocess.CompletedProcess[str], *sentences: str) -> None:
    """Exit code 2, nothing on standard output, these words on standard error, and no traceback."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    for sentence in sentences:
        assert sentence in result.stderr


def contents(folder: Path) -> tuple[list[str], int, int]:
    """What is durable: the catalogue as SQL, and how many spans and scores there are."""
    with sqlite3.connect(folder / "catalogue.sqlite") as catalogue:
        dump = list(catalogue.iterdump())
    catalogue.close()
    with duckdb.connect(str(folder / "traces.duckdb"), read_only=True) as traces:
        counts = [traces.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table in ("spans", "scores")]
    return dump, counts[0], counts[1]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which an evaluation was run."""
    root = tmp_path_factory.mktemp("evaluated")
    upstream = Upstream()
    noria = Noria(root / "data", {"NORIA_PROVIDERS": upstream.providers})
    assert noria.here("eval", write_project(root / "project")).exit_code == 0
    upstream.close()
    return noria.folder


@pytest.fixture
def used(evaluated: Path, noria: Noria) -> Noria:
    """A command line on a copy of that folder."""
    shutil.copytree(evaluated, noria.folder)
    return noria


@pytest.mark.parametrize(
    ("change", "sentences"),
    [
        ("broken YAML", ["eval.yaml:", "Error: "]),
        (
            {"scorers": [{"kind": "classify", "labels": ["positive", "neutral"]}]},
            ["eval.yaml:", "case 0: The reference", "negative", "none of the labels"],
        ),
        ({"scorers": [{"kind": "exactt"}]}, ["eval.yaml:", "exactt", "exact"]),
        ({"dataset": {"path": "rows.jsonl", "input": {"text": "review"}}}, ['rows.jsonl line 1: no column "review"']),
        ("malformed row", ["rows.jsonl", "line 3"]),
    ],
    ids=["broken YAML", "reference outside the labels", "unknown scorer", "missing column", "malformed row"],
)
def test_a_wrong_file_touches_nothing(noria: Noria, tmp_path: Path, change: Any, sentences: list[str]) -> None:
    file = write_project(tmp_path / "project", **(change if isinstance(change, dict) else {}))
    if change == "broken YAML":
        file.write_text("name: [unclosed\nscorers: {")
    if change == "malformed row":
        break_row(file)
    said(noria.run("eval", file), *sentences)
    assert not noria.folder.exists()


def break_row(file: Path) -> None:
    rows = file.with_name("rows.jsonl")
    lines = rows.read_text().splitlines()
    lines[2] = '{"input": {"text": '
    rows.write_text("\n".join(lines))


def test_the_rest_of_the_rows_runs_when_asked(noria: Noria, tmp_path: Path, upstream: Upstream) -> None:
    file = write_project(tmp_path / "project", dataset={"path": "rows.jsonl", "on_error": "skip"})
    break_row(file)
    result = noria.here("eval", file)
    assert result.exit_code == 0
    assert "skipped" in result.stderr
    assert "3" in result.stderr.splitlines()[0]
    assert len(upstream.calls) == 5


def test_a_variable_that_the_cases_lack(used: Noria, tmp_path: Path, upstream: Upstream) -> None:
    before = contents(used.folder)
    file = write_project(tmp_path / "project", app="brand-new")
    prompt = file.with_name("triage.md")
    prompt.write_text(prompt.read_text().replace("{text: string}", "{text: string, tone: string}") + "{{ tone }}")
    said(used.run("eval", file), "eval.yaml:", "tone")
    assert contents(used.folder) == before
    assert upstream.calls == []


@pytest.mark.parametrize(
    ("model", "sentence"),
    [("nobody/small", "There is no provider 'nobody'"), ("local/large", "There is no model 'large'")],
)
def test_an_unknown_model(used: Noria, tmp_path: Path, model: str, sentence: str) -> None:
    before = contents(used.folder)
    file = write_project(tmp_path / "project", app="brand-new", cases=9)
    file.write_text(file.read_text().replace("fake/small", model))
    said(used.run("eval", file), "eval.yaml:", sentence)
    assert contents(used.folder) == before


def test_an_unreachable_base_url(noria: Noria, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    file = write_project(tmp_path / "project", cases=2)
    providers = json.dumps({"fake": {"base_url": url, "attempts": 1}})
    result = noria.run("eval", file, environ={"NORIA_PROVIDERS": providers})
    assert result.returncode == 2
    assert url.removesuffix("/v1").removeprefix("http://") in result.stderr
    assert "Go on with: noria eval" in result.stderr
    assert "Traceback" not in result.stderr
    assert noria.here("eval", file).exit_code == 0, "with a reachable one the same experiment goes on"
    assert len(noria.json("experiments", "list")) == 1


@pytest.mark.parametrize("limit", [8_192, 300_000])
def test_a_full_disk(used: Noria, tmp_path: Path, limit: int) -> None:
    before = contents(used.folder)
    file = write_project(tmp_path / "project")
    file.with_name("triage.md").write_text(file.with_name("triage.md").read_text() + "x" * 500_000)

    def limited() -> None:
        POSIX.setrlimit(POSIX.RLIMIT_FSIZE, (limit, limit))

    said(used.run("prompts", "push", file.with_name("triage.md"), preexec_fn=limited, measured=False), "Error: ")
    assert contents(used.folder) == before


def test_a_port_in_use(noria: Noria) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said(noria.run("up", "--port", port), f"Port {port} on 127.0.0.1 is in use.", "--port")
    assert not noria.folder.exists()


def test_a_folder_from_a_newer_version(used: Noria) -> None:
    (used.folder / "FORMAT").write_text("99\n")
    before = contents(used.folder)
    said(used.run("prompts", "list"), "was written by a newer version of Noria", "Nothing was changed.")
    assert contents(used.folder) == before


def test_a_second_process_is_told_who_holds_the_folder(noria: Noria, tmp_path: Path, upstream: Upstream) -> None:
    upstream.hold_after = 0
    with noria.start("eval", write_project(tmp_path / "project")) as process:
        upstream.wait_for_calls(1)
        result = noria.here("prompts", "list")
        upstream.release()
        process.communicate(timeout=60)
    assert result.exit_code == 2
    assert 'is in use by "noria eval' in result.stderr
    assert f"process {process.pid}" in result.stderr
    assert process.returncode == 0


def test_exit_codes_of_gates(noria: Noria, tmp_path: Path) -> None:
    file = write_project(tmp_path / "project", pass_if="accuracy.mean > 0.5")
    assert noria.here("eval", file).exit_code == 0
    failed = noria.run("eval", write_project(tmp_path / "project", pass_if="accuracy.mean < 0.5"))
    assert failed.returncode == 1
    assert "✗ gate accuracy.mean < 0.5" in failed.stdout
    assert failed.stderr == ""
