"""Interrupted in any way, an evaluation goes on from where it stopped, and no finished case is called again."""

import re
import signal
from pathlib import Path

import pytest
from noria_cli import Noria, write_project
from upstream import Upstream

CASES, ANSWERED, IN_FLIGHT = 12, 5, 2


@pytest.fixture
def held(upstream: Upstream) -> Upstream:
    """Answers five calls and holds the next two."""
    upstream.hold_after = ANSWERED
    return upstream


def finished_once(noria: Noria, file: Path, upstream: Upstream, *, calls: int) -> None:
    """Run the file again, to its end: it is right, and nothing was called more often than it must be."""
    again = noria.here("eval", file)
    assert again.exit_code == 0, again.stderr
    counted = upstream.calls_by_text()
    assert len(counted) == CASES
    assert sum(counted.values()) <= calls, counted
    assert all(counted[text] == 1 for text in upstream.calls[:ANSWERED])
    [experiment] = noria.json("experiments", "list")
    assert experiment["status"] == "finished"
    [run] = experiment["results"]["runs"]
    assert (run["cases"], run["errors"]) == (CASES, 0)
    assert run["measures"][0]["estimate"]["value"] == 1.0


def test_after_kill_9(noria: Noria, held: Upstream, tmp_path: Path) -> None:
    file = write_project(tmp_path / "project", cases=CASES)
    with noria.start("eval", file) as process:
        held.wait_for_calls(ANSWERED + IN_FLIGHT)
        process.kill()
    held.release()
    assert noria.json("experiments", "list")[0]["status"] == "interrupted"
    finished_once(noria, file, held, calls=CASES + IN_FLIGHT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_after_ctrl_c_and_sigterm(noria: Noria, held: Upstream, tmp_path: Path, number: signal.Signals) -> None:
    file = write_project(tmp_path / "project", cases=CASES)
    with noria.start("eval", file) as process:
        held.wait_for_calls(ANSWERED + IN_FLIGHT)
        process.send_signal(number)
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Stopping: no more calls are begun")
        held.release()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    # The sentence is said before the stop has arrived, so a call may still begin in between.
    stopped = re.match(rf"Stopped: Stopped after (\d+) of {CASES} calls\.", said)
    assert stopped is not None, said
    assert ANSWERED + IN_FLIGHT <= int(stopped[1]) < CASES
    assert "Traceback" not in said
    finished_once(noria, file, held, calls=CASES)


def test_a_server_goes_on_when_the_command_line_is_killed(noria: Noria, held: Upstream, tmp_path: Path) -> None:
    file = write_project(tmp_path / "project", cases=CASES)
    with noria.start("up", "--port", "0") as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("Noria is ready at http://127.0.0.1:")
        with noria.start("eval", file) as process:
            held.wait_for_calls(ANSWERED + IN_FLIGHT)
            process.kill()
        held.release()
        finished_once(noria, file, held, calls=CASES)
        server.terminate()
        assert server.wait(timeout=30) == 0


def test_a_server_that_goes_away_is_told(noria: Noria, held: Upstream, tmp_path: Path) -> None:
    file = write_project(tmp_path / "project", cases=CASES)
    with noria.start("up", "--port", "0") as server:
        assert server.stdout is not None
        server.stdout.readline()
        with noria.start("eval", file) as process:
            held.wait_for_calls(ANSWERED + IN_FLIGHT)
            server.kill()
            _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Error: The server at http" in said or "Error: There is no server at http" in said
    assert "What was finished is kept." in said
    assert "Traceback" not in said
    held.release()
    finished_once(noria, file, held, calls=CASES + IN_FLIGHT)


def test_where_nobody_can_watch_a_bar_a_line_tells_how_far_it_is(
    noria: Noria, held: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noria.cli.evaluate.TOLD_S", 0.0)
    held.release()
    done = noria.here("eval", write_project(tmp_path / "project", cases=CASES))
    assert done.exit_code == 0
    assert re.search(rf"^plain  \d+/{CASES}", done.stderr, re.MULTILINE), done.stderr
    assert "plain" not in noria.here("eval", tmp_path / "project" / "eval.yaml", "--fresh", "--json").stderr
