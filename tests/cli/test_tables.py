"""Tables fit the terminal, and never break what someone may copy."""

import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console as RichConsole

from noria.cli.tables import coloured, dollars, megabytes, number, seconds, short_id, table, tokens
from noria.cli.terminal import harmless, json_text

IDS = ["prompt_1c124c4f", "prompt_7b95f645"]


def lines(made: object, width: int) -> list[str]:
    stream = io.StringIO()
    RichConsole(file=stream, width=width).print(made, crop=False)
    return stream.getvalue().splitlines()


def example(width: int) -> list[str]:
    rows = [(id, "a sentence that is long enough to be cut short somewhere", 12, "–") for id in IDS]
    made = table(
        "id", "note", "n", "memory", rows=rows, right=["n"], prose=["note"], spare=["n"], hide_empty=["memory"]
    )
    return lines(made, width)


def test_all_of_it_where_there_is_room() -> None:
    assert example(120) == [
        "id               note                                                       n",
        "prompt_1c124c4f  a sentence that is long enough to be cut short somewhere  12",
        "prompt_7b95f645  a sentence that is long enough to be cut short somewhere  12",
    ]


@pytest.mark.parametrize("width", [10, 30, 41, 45, 60, 80])
def test_ids_are_whole_at_any_width(width: int) -> None:
    drawn = example(width)
    assert [line.split()[0] for line in drawn[1:]] == IDS
    assert all(len(line) <= max(width, 41) for line in drawn)
    assert drawn[0].endswith("n") == (width >= 45)


@given(st.lists(st.tuples(st.text(), st.text(max_size=200)), min_size=1, max_size=3), st.integers(1, 100))
def test_a_row_is_a_line_whatever_is_in_it(rows: list[tuple[str, str]], width: int) -> None:
    drawn = lines(table("one", "two", rows=rows, prose=["two"]), width)
    assert len(drawn) == 1 + len(rows)
    assert all(char.isprintable() for line in drawn for char in line)


def test_headers_of_two_lines() -> None:
    assert lines(table("name", "latency\np50", rows=[("a", "1 ms")], right=["latency\np50"]), 80) == [
        "      latency", "name      p50", "a        1 ms",
    ]  # fmt: skip


def test_a_terminal_is_told_nothing_by_others() -> None:
    assert harmless("\x1b]0;owned\x07\x9b31m[red]") == "·]0;owned··31m[red]"
    assert coloured("\x1b[2J", "red").plain == "·[2J"
    assert lines(table("a", rows=[("[bold]x[/bold]\x1b[1m",)]), 80)[1] == "[bold]x[/bold]·[1m"


def test_numbers() -> None:
    assert [seconds(None), seconds(0.0012), seconds(0.25), seconds(1.5)] == ["–", "1.2 ms", "250 ms", "1.50 s"]
    assert [dollars(None), dollars(0), dollars(0.5), dollars(0.00002)] == ["unknown", "$0", "$0.5", "$0.000020"]
    assert [megabytes(None), megabytes(2**21)] == ["–", "2 MB"]
    assert [number(0.5), number(1234.5), tokens(None), tokens(1234)] == ["0.500", "1,234", "?", "1,234"]
    assert [short_id(None), short_id("prompt_0123456789"), short_id("0123456789abcdef")] == [
        "", "prompt_01234567", "0123456789ab",
    ]  # fmt: skip


def test_json_holds_no_control_character_of_others_and_is_still_theirs() -> None:
    hostile = {"name": "\x1b[2J \x9b31m \x7f \x85 é\n"}
    text = json_text(hostile, indent=2)
    assert [char for char in text if not char.isprintable()] == ["\n", "\n"]
    assert msgspec.json.decode(text) == hostile
