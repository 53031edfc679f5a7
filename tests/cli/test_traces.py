"""A trace as a tree: hostile text stays text, odd shapes end."""

import io

from rich.console import Console

from noria.cli.traces import trace_tree
from noria.core.messages import Message
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Span
from noria.serve.shapes import Trace

ESCAPES = "\x1b]0;owned\x07\x1b[2J[red]"


def span(number: int, parent: int | None = None, **changes: object) -> Span:
    fields: dict[str, object] = {
        "trace_id": "a" * 32,
        "span_id": f"{number:016x}",
        "parent_id": None if parent is None else f"{parent:016x}",
        "name": f"chat m{number}",
        "start_ns": number,
        "end_ns": number + 1,
    }
    return Span(**(fields | changes))  # type: ignore[arg-type]


def drawn(*spans: Span, scores: tuple[Score, ...] = ()) -> str:
    out = io.StringIO()
    Console(file=out, width=200, force_terminal=False).print(
        trace_tree(Trace(trace_id="a" * 32, spans=spans, scores=scores))
    )
    return out.getvalue()


def test_children_stand_below_their_parents_and_scores_below_their_spans() -> None:
    score = Score(scorer="polite", version="1", value=True, reason="It says please.", span_id=f"{2:016x}")
    lines = drawn(span(1), span(2, parent=1), span(3), scores=(score,)).splitlines()
    indents = {
        name: next(line.index(name) for line in lines if name in line)
        for name in ("chat m1", "chat m2", "chat m3", "polite")
    }
    assert indents["chat m1"] == indents["chat m3"] < indents["chat m2"] < indents["polite"]
    assert any("polite = true  It says please." in line for line in lines)


def test_control_characters_and_markup_of_others_never_reach_the_terminal() -> None:
    hostile = span(
        1,
        name=ESCAPES,
        status="error",
        error_message=ESCAPES,
        input=(Message(role="user", content=ESCAPES),),
        output=(Message(role="assistant", content=ESCAPES),),
        lineage=Lineage(app=ESCAPES, variant_id=ESCAPES),
    )
    score = Score(scorer=ESCAPES, version="1", value=ESCAPES, reason=ESCAPES, monitor=ESCAPES, span_id=f"{1:016x}")
    shown = drawn(hostile, scores=(score,))
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert shown.count("[red]") >= 8


def test_spans_that_call_each_other_parent_do_not_hang() -> None:
    assert "m3" in drawn(span(1, parent=2), span(2, parent=1), span(3))


def test_long_conversations_show_their_beginning_and_end() -> None:
    said = tuple(Message(role="user", content=f"turn {i}") for i in range(30))
    shown = drawn(span(1, input=said))
    assert "turn 0" in shown
    assert "turn 29" in shown
    assert "turn 15" not in shown
    assert "25 more messages" in shown
