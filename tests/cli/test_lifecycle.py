"""``noria retention`` and ``noria users``, as a person uses them."""

import os
import pty
import time
from pathlib import Path

import msgspec
import pytest
from noria_cli import PROGRAM, Noria

from noria.bridges.files.columns import encode_line
from noria.core.messages import Message
from noria.core.requests import Lineage
from noria.core.spans import Span

DAY = 86_400 * 10**9


@pytest.fixture
def filled(noria: Noria) -> Noria:
    """Spans of two users, one of them old."""
    file = noria.folder.parent / "spans.jsonl"
    lines = []
    for number, (user, age) in enumerate([("ann", 90), ("ann", 1), ("bob", 1)], start=1):
        start = time.time_ns() - age * DAY
        span = Span(
            trace_id=f"{number:032x}", span_id=f"{number:016x}", name="chat", start_ns=start, end_ns=start + 1,
            input=(Message(role="user", content="hello"),), lineage=Lineage(app="triage", user_id=user),
        )  # fmt: skip
        lines.append(encode_line(span, ()))
    file.write_bytes(b"".join(lines))
    result = noria.here("traces", "import", file)
    assert result.exit_code == 0, result.stderr
    return noria


def test_retention_from_a_rule_to_its_end(filled: Noria) -> None:
    assert "everything is kept" in filled.here("retention", "list").stdout
    assert "everything is kept" in filled.here("retention", "run").stdout
    said = filled.here("retention", "set", "triage", "--texts", "30", "--spans", "365").stdout
    assert "triage: texts 30 days, spans 365 days" in said
    assert "Nothing was changed" in filled.here("retention", "run", "--dry-run").stdout
    assert filled.json("retention", "run", "--dry-run")["rules"][0]["stripped"] == 1
    assert filled.json("retention", "run")["rules"][0]["stripped"] == 1
    assert "for good" not in filled.here("retention", "list").stdout
    assert "no rule" in filled.here("retention", "remove", "triage").stdout
    assert filled.here("retention", "set", "triage").exit_code == 2
    assert filled.here("retention", "remove", "triage").exit_code == 2


def test_a_user_is_erased_after_a_question(filled: Noria) -> None:
    refused = filled.here("users", "erase", "ann", "--json")
    assert refused.exit_code == 2
    assert "Say --yes" in msgspec.json.decode(refused.stderr)["error"]["hint"]
    asked = filled.here("users", "erase", "ann")
    assert asked.exit_code == 2, "nobody is there to say yes"
    assert "Say --yes" in asked.stderr
    done = filled.here("users", "erase", "ann", "--yes")
    assert "Deleted: 2 spans in 2 traces" in done.stdout
    assert "of the audit log" in done.stdout
    assert "Nothing is on record about ann" in filled.here("users", "erase", "ann").stdout
    [receipt] = filled.json("users", "receipts", "--user", "ann")
    assert receipt["erased"]["spans"] == 2
    assert filled.json("users", "receipts", "--user", "bob") == []
    assert "2 spans" in filled.here("users", "receipts").stdout
    assert "No receipt is about bob" in filled.here("users", "receipts", "--user", "bob").stdout
    assert filled.json("audit", "list", "--action", "user.")[0]["seq"] == receipt["audit_seq"]


@pytest.mark.parametrize(("typed", "code"), [(b"\x03", 130), (b"n\n", 130), (b"y\n", 0)])
def test_the_question_before_an_erasure_can_be_left_by_ctrl_c(filled: Noria, typed: bytes, code: int) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(PROGRAM, [PROGRAM, "users", "erase", "ann"], {**os.environ, "NORIA_DATA": str(filled.folder)})
    said = b""
    while b"for good?" not in said:
        said += os.read(terminal, 1000)
    time.sleep(0.2)  # until it reads
    os.write(terminal, typed)
    ended = time.monotonic() + 60
    while (status := os.waitpid(pid, os.WNOHANG))[0] == 0 and time.monotonic() < ended:
        time.sleep(0.05)
    os.close(terminal)
    assert status[0] == pid, "it still waits"
    assert os.waitstatus_to_exitcode(status[1]) == code
    assert len(filled.json("traces", "list", "--user", "ann")) == (0 if code == 0 else 2)


@pytest.mark.parametrize("command", ["audit verify", "backup all.tar", "traces export all.jsonl"])
def test_a_folder_that_is_not_there_is_not_taken_for_an_empty_one(
    noria: Noria, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = noria.here(*command.split())
    assert refused.exit_code == 2
    assert "There is no data folder" in refused.stderr
    assert list(tmp_path.iterdir()) == []
