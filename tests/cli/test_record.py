"""Commands that look at the record: lists, searches, statistics, sessions, users, and a tail."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from noria_cli import Noria
from upstream import Upstream

from noria.assemble import open_workspace
from noria.cli.tail import Event, events_of
from noria.core.messages import Message
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Span
from noria.settings import Settings

NOON = 1_795_435_200 * 10**9  # 2026-11-23T12:00:00Z
MINUTE = 60 * 10**9


def call(number: int, model: str, said: str, **changes: object) -> Span:
    fields: dict[str, object] = {
        "trace_id": f"{number:02x}" * 16,
        "span_id": f"{number:016x}",
        "name": f"chat {model}",
        "start_ns": NOON + number * 30 * MINUTE,
        "end_ns": NOON + number * 30 * MINUTE + number * 10**9,
        "request_model": model,
        "input": (Message(role="user", content=said),),
        "lineage": Lineage(app="desk", session_id=f"s/{number % 2}", user_id="ada"),
    }
    return Span(**(fields | changes))  # type: ignore[arg-type]


RECORDS = [
    call(1, "small", "Where does the river end?"),
    call(2, "large", "At the sea.", status="error", error_message="Too late.\x1b[2J"),
    call(3, "large", "[red]Where[/red] is my order?", cost_usd=0.25, input_tokens=7, output_tokens=3),
]


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Noria]:
    """A data folder with three calls."""
    upstream = Upstream()
    folder = tmp_path_factory.mktemp("record") / "data"

    async def fill() -> None:
        async with open_workspace(Settings(data=str(folder)), os.environ, holder="a test") as workspace:
            score = Score(
                scorer="correct", version="1", value=0.5, trace_id="03" * 16, span_id=f"{3:016x}", time_ns=NOON
            )
            await workspace.traces.append(RECORDS, [score])

    asyncio.run(fill())
    yield Noria(folder, {"NORIA_PROVIDERS": upstream.providers})
    upstream.close()


def traces_of(output: str) -> list[str]:
    return [found[:2] for found in re.findall(r"\b(?:01|02|03){6}\b", output)]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("", ["03", "02", "01"]),
        ("--model large", ["03", "02"]),
        ("--status error", ["02"]),
        ("--session s/1 --user ada", ["03", "01"]),
        ("--where duration_s>1.5 --where app=desk", ["03", "02"]),
        ("--score correct>=0.5", ["03"]),
        ("--score !correct --roots", ["02", "01"]),
        ("--since 2026-11-23T13:00Z --until 2026-11-23T13:30Z", ["02"]),
    ],
)
def test_lists_are_narrowed(record: Noria, options: str, found: list[str]) -> None:
    assert traces_of(record.here("traces", "list", *options.split()).stdout) == found
    assert [item["trace_id"][:2] for item in record.json("traces", "list", *options.split())] == found


def test_pages_are_told_on_standard_error_and_followed(record: Noria) -> None:
    first = record.here("traces", "list", "--limit", "2")
    cursor = re.findall(r"There are more: --cursor (\S+)\n", first.stderr)[0]
    second = record.here("traces", "list", "--limit", "2", "--cursor", cursor)
    assert (traces_of(first.stdout), traces_of(second.stdout)) == (["03", "02"], ["01"])
    assert second.stderr == ""
    wrong = record.here("traces", "list", "--limit", "2", "--app", "other", "--cursor", cursor)
    assert wrong.exit_code == 2
    assert "another question" in wrong.stderr


def test_search_shows_what_it_found_as_plain_text(record: Noria) -> None:
    shown = record.here("traces", "search", "WHERE order").stdout
    assert traces_of(shown) == ["03"]
    assert "[red]Where[/red] is my order?" in shown
    assert traces_of(record.here("traces", "search", "where", "--model", "small").stdout) == ["01"]
    assert "Too late.·[2J" in record.here("traces", "search", "late").stdout
    nothing = record.here("traces", "search", '"river the"')
    assert (nothing.exit_code, nothing.stdout.strip()) == (0, "No call has these words.")
    assert "no word" in record.here("traces", "search", "…").stderr


def test_statistics_by_hour_and_model(record: Noria) -> None:
    shown = record.here("traces", "stats", environ={"TZ": "UTC"}).stdout.splitlines()
    rows = [line.split() for line in shown if line.startswith("2026")]
    assert [row[2:4] for row in rows] == [["large", "2"], ["small", "1"]]
    assert "50.0%" in rows[0]
    assert rows[0][4].count("━") == 2 * rows[1][4].count("━")
    [large, small] = record.json("traces", "stats", "--bucket", "all")
    assert (large["group"], large["calls"], large["failed"], large["cost_usd"]) == ("large", 2, 1, 0.25)
    assert small["time_ns"] is None
    assert "No model calls there." in record.here("traces", "stats", "--app", "none").stdout


def test_sessions_and_users(record: Noria) -> None:
    assert re.search(r"^s/1 .*\$0\.25$", record.here("sessions", "list").stdout, re.MULTILINE)
    assert [item["id"] for item in record.json("sessions", "list", "--limit", "1", "--offset", "1")] == ["s/0"]
    assert "There may be more: --offset 1" in record.here("sessions", "list", "--limit", "1").stdout
    assert [item["id"][:2] for item in record.json("sessions", "show", "s/1")] == ["03", "01"]
    [user] = record.json("users", "list")
    assert (user["id"], user["sessions"], user["traces"], user["failed"]) == ("ada", 2, 3, 1)
    missing = record.here("sessions", "show", "s/9")
    assert missing.exit_code == 2
    assert "no session 's/9'" in missing.stderr
    assert record.here("sessions", "show", "").exit_code == 2


@pytest.mark.parametrize("line", ["traces list", "traces search x", "traces stats", "sessions list", "users list"])
def test_an_empty_record_says_so(line: str, tmp_path: Path) -> None:
    said = Noria(tmp_path / "none", {}).here(*line.split())
    assert said.exit_code == 0
    assert said.stdout.startswith("No ")
    assert "There is no data folder" in said.stderr


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("traces list --since soon", "'soon' is no time"),
        ("traces list --where duration_s", "is no condition"),
        ("traces list --where nothing=1", "There is no column 'nothing'"),
        ("traces list --score !", "names a scorer"),
        ("traces tail", "no server runs"),
        ("traces list --limit 0", "--limit"),
    ],
)
def test_what_makes_no_sense_is_told(record: Noria, line: str, sentence: str) -> None:
    said = record.here(*line.split())
    assert said.exit_code == 2
    assert said.stdout == ""
    assert sentence in said.stderr


def test_a_tail_shows_calls_as_they_are_recorded_and_comes_back_to_a_server_that_was_away(noria: Noria) -> None:
    key = {"NORIA_API_KEY": "noria_key"}
    server = noria.start("up", "--port", "0", environ=key)
    assert server.stdout
    url = server.stdout.readline().split()[4]
    port = url.rpartition(":")[2]
    there = key | {"NORIA_URL": url}
    refused = noria.run("traces", "tail", "--score", "correct", environ=there)
    assert refused.returncode == 2
    assert "can't look at scores" in refused.stderr
    tail = noria.start("traces", "tail", "--status", "ok", environ=there)
    assert tail.stdout
    assert tail.stderr
    assert "Watching" in tail.stderr.readline()
    time.sleep(1.0)  # the line is shown before the stream is open
    ask(url, "fake/small")
    assert "ok  chat fake/small" in tail.stdout.readline()
    server.terminate()
    assert server.wait(timeout=30) == 0
    again = noria.start("up", "--port", port, environ=key)
    assert again.stdout
    again.stdout.readline()
    ask(url, "fake/small")
    assert "ok  chat fake/small" in tail.stdout.readline()
    tail.send_signal(signal.SIGINT)
    assert tail.wait(timeout=30) == 130
    assert "Traceback" not in tail.stderr.read()
    again.terminate()
    assert again.wait(timeout=30) == 0
    for process in (server, tail, again):
        process.communicate()


def ask(url: str, model: str) -> None:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]}).encode()
    headers = {"authorization": "Bearer noria_key", "content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/v1/chat/completions", body, headers)) as answer:
        assert b"choices" in answer.read()


async def lines(*given: str) -> AsyncIterator[str]:
    for line in given:
        yield line


async def test_events_of_a_stream() -> None:
    stream = lines(": hello", "", "event: span", "data: {", "data:}", "id: 7", "", "retry: 1", "id", "", "data: cut")
    assert [event async for event in events_of(stream, "0")] == [
        Event("message", "", "0"),
        Event("span", "{\n}", "7"),
        Event("message", "", ""),
    ]
