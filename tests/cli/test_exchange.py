"""Traces out to files and in again, on the folder and through a server."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from noria_cli import Noria

from noria.cli.api import Api
from noria.core.errors import Unavailable

NOON = 1_795_435_200 * 10**9


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A row of a file with the least that it needs, and a score."""
    scored = {"scorer": "exact", "version": "1", "value": number % 2 == 0, "time_ns": NOON}
    return {
        "trace_id": f"{number + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "name": f"chat {number}",
        "start_ns": NOON + number,
        "end_ns": NOON + number + 10**9,
        "app": "odd" if number % 2 else "even",
        "input": [{"role": "user", "content": "hi\0 \u2028"}],
        "scores": [scored],
    } | changes


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in rows))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return sorted((json.loads(line) for line in data.splitlines()), key=lambda one: str(one["span_id"]))


def test_out_and_in_again_in_every_format(noria: Noria, tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", *[row(number) for number in range(510)])
    first = noria.json("traces", "import", source)
    assert first["survey"]["formats"] == {str(source): "noria"}
    assert first["taken"] == {"spans": 510, "scores": 510, "repeated": 0, "homeless": 0}
    for name in ("out.jsonl", "out.jsonl.gz", "out.parquet"):
        done = noria.json("traces", "export", tmp_path / name)
        assert (done["spans"], done["scores"]) == (510, 510)
        assert done["bytes"] == (tmp_path / name).stat().st_size
    plain = lines(tmp_path / "out.jsonl")
    assert [(one["name"], one["scores"][0]["value"]) for one in plain[:2]] == [("chat 0", True), ("chat 1", False)]
    assert lines(tmp_path / "out.jsonl.gz") == plain
    elsewhere = Noria(tmp_path / "elsewhere", noria.environ)
    elsewhere.json("traces", "import", tmp_path / "out.parquet")
    again = elsewhere.json("traces", "import", tmp_path / "out.parquet", tmp_path / "out.jsonl.gz")
    assert again["taken"] == {"spans": 1020, "scores": 0, "repeated": 1020, "homeless": 0}
    elsewhere.json("traces", "export", tmp_path / "back.jsonl")
    assert lines(tmp_path / "back.jsonl") == plain
    assert sorted(path.name for path in tmp_path.iterdir() if "partial" in path.name) == []


def test_a_part_goes_to_standard_output(noria: Noria, tmp_path: Path) -> None:
    noria.json("traces", "import", write(tmp_path / "in.jsonl", *[row(number) for number in range(6)]))
    shown = noria.here("traces", "export", "-", "--app", "odd", "--since", "2026-11-23", "--until", "2026-11-24")
    assert [json.loads(line)["name"] for line in shown.stdout.split("\n")[:-1]] == ["chat 1", "chat 3", "chat 5"]
    assert noria.here("traces", "export", "-", "--since", "2026-11-24T00:00+01:00").stdout == ""


def test_bad_rows_are_named_and_keep_the_rest_out_unless_told_otherwise(noria: Noria, tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", row(0), "{oops", row(1, trace_id="x"), [1], row(2))
    refused = noria.here("traces", "import", source)
    assert refused.exit_code == 2
    for words in (
        "in.jsonl line 2",
        "in.jsonl line 3: trace_id is 'x'",
        "line 4: an object",
        "3 of 5 rows",
        "--skip-bad",
    ):
        assert words in refused.stderr
    assert noria.json("traces", "list") == []
    looked = noria.json("traces", "import", source, "--dry-run")
    assert (looked["survey"]["spans"], looked["survey"]["bad"], looked["taken"]["spans"]) == (2, 3, 0)
    assert noria.json("traces", "list") == []
    rest = noria.here("traces", "import", source, "--skip-bad")
    assert "2 spans and 2 scores are stored, 3 rows can't be used." in rest.stdout
    assert len(noria.json("traces", "list")) == 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"[]", "is empty"),
        (b'{"a": 1}\n', "is of no known format"),
        (b"a,b\n1,2\n", "is of no known format"),
        (b"\x00\x01\x02", "is of no known format"),
        (b"\x1f\x8bnonsense", "no whole gzip file"),
        (b"PAR1nonsense", "cannot be read as Parquet"),
        (b"[" * 5000, "is no JSON"),
        (b"[1, 2", "is no JSON"),
    ],
)
def test_files_that_are_none_of_ours(noria: Noria, tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "file").write_bytes(content)
    said = noria.here("traces", "import", tmp_path / "file")
    assert said.exit_code == 2
    assert sentence in said.stderr
    assert not noria.folder.exists()


def test_a_file_that_is_there_is_left_alone(noria: Noria, tmp_path: Path) -> None:
    noria.json("traces", "import", write(tmp_path / "in.jsonl", row(0)))
    out = write(tmp_path / "out.jsonl", "precious")
    refused = noria.here("traces", "export", out)
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    assert out.read_text() == "precious\n"
    assert noria.here("traces", "export", out, "--overwrite").exit_code == 0
    assert lines(out)[0]["name"] == "chat 0"
    for arguments, sentence in (
        (["out.txt"], "does not say what to write"),
        ([str(tmp_path / "no" / "out.jsonl")], "can't be written to"),
        (["o.jsonl", "--since", "yesterday"], "is no time"),
    ):
        assert sentence in noria.here("traces", "export", *arguments).stderr


def test_a_source_that_fails_leaves_no_file(noria: Noria, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noria.json("traces", "import", write(tmp_path / "in.jsonl", *[row(number) for number in range(600)]))
    calls: list[str] = []
    get = Api.get

    async def failing(self: Api, path: str, *arguments: Any, **query: Any) -> Any:
        calls.append(path)
        if len(calls) > 1:
            raise Unavailable("The server went away.")
        return await get(self, path, *arguments, **query)

    monkeypatch.setattr(Api, "get", failing)
    for name in ("out.jsonl", "out.parquet"):
        calls.clear()
        assert noria.here("traces", "export", tmp_path / name).exit_code == 2
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []


def test_a_replay_to_another_noria_gives_it_the_same_record_and_goes_on_later(noria: Noria, tmp_path: Path) -> None:
    noria.json("traces", "import", write(tmp_path / "in.jsonl", *[row(number) for number in range(510)]))
    there = Noria(tmp_path / "there", noria.environ)
    with there.start("up", "--port", "0") as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[4]
        key = (there.folder / "admin.key").read_text().strip()
        arguments = ("traces", "replay", url, "--header", f"authorization=Bearer%20{key}", "--progress", tmp_path / "p")
        done = noria.json(*arguments)
        assert (done["url"], done["spans"], done["scores"], done["refused"]) == (f"{url}/v1/traces", 510, 510, 0)
        assert noria.json(*arguments)["spans"] == 0
        noria.json("traces", "import", write(tmp_path / "more.jsonl", row(800)))
        assert noria.json(*arguments)["spans"] == 1
        other = noria.here("traces", "replay", url, "--app", "odd", "--progress", tmp_path / "p")
        assert "is of a replay to" in other.stderr
        refused = noria.here("traces", "replay", url, "--header", "authorization=Bearer%20wrong")
        assert refused.exit_code == 2
        assert "refuses with 401" in refused.stderr
        server.terminate()
        server.wait(30)
    for one, name in ((noria, "here.jsonl"), (there, "there.jsonl")):
        one.json("traces", "export", tmp_path / name)
    assert lines(tmp_path / "here.jsonl") == lines(tmp_path / "there.jsonl")
