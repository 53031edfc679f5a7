"""The arithmetic of the measurements; that they run is seen by running them (``make bench``)."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import distribution

import otlp_intake
import pytest
from engine_busy import generated, questions
from eval_runner import Setting
from install_size import disk_bytes, locked, weights
from report import Report, shown, spread
from start_up import Imported, by_package, parsed_imports


def test_every_row_of_a_report_carries_the_load(capsys):
    report = Report("Speed", ["what", "s"], as_json=True)
    report.add("help", 0.1)
    report.note("Quick.")
    report.end()
    told = json.loads(capsys.readouterr().out)
    assert [{**row, "load": 0} for row in told["rows"]] == [{"what": "help", "s": 0.1, "load": 0}]
    assert told["rows"][0]["load"] >= 0
    assert told["notes"] == ["Quick."]
    assert "cores" in told["machine"]


def test_a_table_is_printed_row_by_row(capsys):
    report = Report("Speed", ["what", "s"], as_json=False)
    report.add("help", None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Speed"
    assert lines[-1].split()[:2] == ["help", "-"]
    assert lines[-2].split() == ["what", "s", "load"]


@pytest.mark.parametrize(
    ("cell", "text"), [(None, "-"), (0.12345, "0.123"), (12.346, "12.35"), (12345.6, "12,346"), (12345, "12,345")]
)
def test_cells_show_the_digits_that_count(cell, text):
    assert shown(cell) == text


def test_spread_is_smallest_median_largest():
    assert spread([3.0, 1.0, 10.0, 2.0]) == (1.0, 2.5, 10.0)


def test_import_times_add_up_to_their_packages():
    said = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:       500 |        500 |     duckdb._x\n"
        "import time:      1500 |       2000 |   duckdb\n"
        "import time:       100 |       2100 | noria\n"
    )
    modules = parsed_imports(said)
    assert modules[1] == Imported("duckdb", alone_ms=1.5, with_all_ms=2.0)
    assert by_package(modules) == {"duckdb": 2.0, "noria": 0.1}


def test_ideal_wall_time_counts_whole_waves():
    assert Setting(1000, 0.1, 50).ideal_s == pytest.approx(2.0)
    assert Setting(1001, 0.1, 50).ideal_s == pytest.approx(2.1)


def test_generated_tokens_are_the_last_usage():
    stream = b'data: {"choices":[{}]}\n\ndata: {"choices":[],"usage":{"completion_tokens":32}}\n\ndata: [DONE]\n\n'
    assert generated(stream) == 32
    with pytest.raises(ValueError, match="no usage"):
        generated(b"data: [DONE]\n\n")


def test_no_question_is_asked_twice_and_all_begin_differently():
    first, second = questions(24), questions(24)
    assert len({*first, *second}) == 48
    assert all(one.split()[1] != other.split()[1] for one, other in zip(first, second, strict=True))


def test_a_lock_names_its_packages_and_an_installed_one_has_weight(tmp_path):
    lock = tmp_path / "base.txt"
    lock.write_text("# made\nMsgspec==0.22.0 \\\n    --hash=sha256:aa\nprompt_toolkit==3.0 ; python_version > '3'\n")
    assert locked(lock) == {"msgspec", "prompt-toolkit"}
    for file in distribution("msgspec").files or ():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file.locate(), tmp_path / file)
    assert 0.1 < weights([str(tmp_path)])["msgspec"] < 20


def test_disk_space_is_that_of_every_file_below(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "big").write_bytes(b"x" * 100_000)
    (tmp_path / "link").symlink_to(tmp_path / "inside" / "big")
    alone = disk_bytes(tmp_path / "inside" / "big")
    assert alone >= 98_304
    assert alone <= disk_bytes(tmp_path) <= alone + 16_384


def test_a_database_has_caught_up_when_all_is_there_or_nothing_more_comes(monkeypatch):
    class Slow:
        def __init__(self, *counts):
            self.counts = list(counts)

        def rows(self):
            return self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]

    monkeypatch.setattr(otlp_intake, "QUIET_S", 0.05)
    monkeypatch.setattr(otlp_intake.time, "sleep", lambda _: None)
    assert otlp_intake.caught_up(Slow(10, 20, 30), 30)[0] == 30
    assert otlp_intake.caught_up(Slow(10, 20), 30)[0] == 20
