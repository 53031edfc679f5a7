"""``noria gateway doctor`` and ``noria cache calibrate`` at the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from noria.assemble.providers.doctor import Check, Examination
from noria.cli.api import Api
from noria.cli.main import commands
from noria.core.caching import AtThreshold, Calibration, Pair
from noria.serve.shapes import Calibrate, Examine

ILL = Examination(
    provider="p",
    base_url="http://127.0.0.1:1/v1",
    checks=(
        Check(name="configuration", ok=True, said="openai; it needs no key"),
        Check(name="connection", ok=False, said="Nothing answers.", hint="Start it."),
        Check(name="key", said="nobody knows", hint="--call"),
    ),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answers(monkeypatch: pytest.MonkeyPatch, found: object) -> list[object]:
    asked: list[object] = []

    async def post(_: Api, __: str, ___: object, body: object) -> object:
        asked.append(body)
        return found

    monkeypatch.setattr(Api, "post", post)
    return asked


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(commands, list(words), standalone_mode=False)
    code = result.exception.code if isinstance(result.exception, SystemExit) else 0
    return int(code or 0), result.output


CONFIGURATION = """
[providers.lab]
base_url = "http://127.0.0.1:1/v1"
max_calls = 8

[providers.far]
base_url = "https://far.example/v1"
api_key_env = "NOBODY_SET_THIS"

[routes.fast]
targets = ["lab/small", "far/large"]
policy = "latency"

[aliases]
gpt-4o = "lab/large"

[caches."lab/*"]

[[guards]]
kind = "length"
options = { characters = 100 }
"""


def test_it_is_started_where_alone_only_options_of_a_server_are_given(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NORIA_TRACES", f"chdb:{folder}/traces")  # which workers can't share
    for words in (["--workers", "2"], ["--workers=2", "--port", "0"], ["up", "--workers", "2", "--data", str(folder)]):
        code, said = run("gateway", *words)
        assert code == 2
        assert "Workers can't share" in said
    code, said = run("gateway", "--data", str(folder), "--json")
    assert "Workers" not in said


def test_how_the_gateway_stands(folder: Path) -> None:
    (folder / "noria.toml").write_text(CONFIGURATION)
    code, said = run("gateway")
    lines = [line.split() for line in said.splitlines()]
    assert code == 0
    assert ["lab", "openai", "http://127.0.0.1:1/v1", "yes", "0", "of", "8", "0", "0"] in lines
    assert ["fast", "latency", "lab/small,", "far/large"] in lines
    assert ["gpt-4o", "alias", "lab/large"] in lines
    assert ["length", "*", "block"] in lines
    assert "far: " in said
    assert "NOBODY_SET_THIS" in said
    assert "Kept replies: 0" in said
    code, said = run("gateway", "show", "--json")
    assert [one["name"] for one in json.loads(said)["providers"]] == ["lab", "far"]


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("places = []\nkind = 'length'\noptions = { characters = 9 }", "line 3: The guard 'length' needs places"),
        ("on = ['m']\nkind = 'lenght'", "line 5: There is no guard of kind 'lenght'"),
        ("on = ['m']\nkind = 'regex'\noptions = { pattern = '(' }", "line 6: The pattern of guard 'regex' is wrong"),
        (
            "kind = 'length'\n[guards.options]\ncharacters = 0",
            "line 5: The guard 'length' of kind 'length' has a wrong",
        ),
        ("kind = 'length'", "line 3: The guard 'length' of kind 'length' has a wrong option"),
    ],
)
def test_where_a_guard_is_wrong_is_said(folder: Path, rule: str, sentence: str) -> None:
    (folder / "noria.toml").write_text(f"port = 7000\n\n[[guards]]\n{rule}\n")
    code, said = run("gateway", "show")
    assert (code, f"noria.toml, {sentence}" in said) == (2, True), said


def test_a_gateway_without_providers_says_how_to_get_one(folder: Path) -> None:
    assert "add one to noria.toml" in run("gateway", "show")[1]


def test_the_doctor_says_what_is_wrong_and_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(monkeypatch, [ILL])
    code, said = run("gateway", "doctor", "p", "--call", "p/m")
    assert code == 1
    assert asked == [Examine(providers=("p",), calls=("p/m",))]
    assert "wrong  connection     Nothing answers." in said
    assert "no data folder" in said
    assert "these calls are on no record" in said
    assert "Start it." in said
    assert "no data folder" not in run("gateway", "doctor", "p")[1], (
        "which the first command of a new user is not about"
    )
    code, said = run("gateway", "doctor", "--json")
    assert (code, json.loads(said[said.index("[") :])[0]["checks"][1]["hint"]) == (1, "Start it.")


def test_a_calibration_is_printed_as_it_is_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "pairs.jsonl").write_text('{"a": "x", "b": "y", "same": true}\n\n{"a": "x", "b": "z", "same": false}\n')
    row = AtThreshold(threshold=0.9, hits=1, hit_rate=0.5, false_hits=0, false_hit_rate=0.0, upper=0.01)
    found = Calibration(
        embedder="p/e",
        id="calibration_1",
        threshold=0.9,
        measured=row,
        most_false=0.02,
        same=2,
        different=3,
        table=(row,),
    )
    asked = answers(monkeypatch, found)
    code, said = run("cache", "calibrate", "pairs.jsonl", "--embedder", "p/e")
    assert code == 0
    pairs = (Pair(a="x", b="y", same=True), Pair(a="x", b="z", same=False))
    assert asked == [Calibrate(embedder="p/e", pairs=pairs, most_false=0.02)]
    assert '[caches.NAME.similar]\nembedder = "p/e"\nthreshold = 0.9\ncalibration = "calibration_1"' in said


def test_a_wrong_line_is_named(folder: Path) -> None:
    (folder / "pairs.jsonl").write_text('{"a": "x", "b": "y", "same": true}\n{"a": "x"}\n')
    code, said = run("cache", "calibrate", "pairs.jsonl", "--embedder", "p/e")
    assert (code, "line 2: Object missing required field `b`" in said) == (2, True)
