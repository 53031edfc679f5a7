"""A trace as a tree: hostile text stays text, odd shapes end."""

import io

from rich.console import Console

from noria.cli.spans import one_line, outcome, used
from noria.cli.trace_tree import trace_tree
from noria.core.messages import Message, ToolCall
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Document, Span
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


def test_a_call_that_was_refused_is_no_failure() -> None:
    refused = span(2, parent=1, status="error", attributes={"noria.refused_by": "breaker"})
    shown = drawn(span(1), refused)
    assert ("refused" in shown, "failed" in shown) == (True, False)
    assert "1 failed" in drawn(span(1), span(2, parent=1, status="error"))


def test_spans_that_call_each_other_parent_do_not_hang() -> None:
    assert "m3" in drawn(span(1, parent=2), span(2, parent=1), span(3))


def test_long_conversations_show_their_beginning_and_end() -> None:
    said = tuple(Message(role="user", content=f"turn {i}") for i in range(30))
    shown = drawn(span(1, input=said))
    assert "turn 0" in shown
    assert "turn 29" in shown
    assert "turn 15" not in shown
    assert "25 more messages" in shown


def test_steps_of_an_agent_show_calls_passages_and_whose_they_are_once() -> None:
    mine = Lineage(app="desk", session_id="s1", user_id="ada")
    call = ToolCall(id="1", name="find_order", arguments='{"order": 7}')
    shown = drawn(
        span(1, name="invoke_agent desk", operation="invoke_agent", input_tokens=900, lineage=mine),
        span(
            2,
            parent=1,
            output=(Message(role="assistant", tool_calls=(call,)),),
            input_tokens=20,
            cost_usd=0.5,
            lineage=mine,
        ),
        span(
            3,
            parent=1,
            name="faq",
            operation="retrieval",
            documents=(Document(id="d1", text="Late orders.", score=0.8),),
            lineage=mine,
        ),
        span(4, parent=3, name="rank", operation="rerank", lineage=Lineage(app="ranker")),
    )
    assert shown.count("session s1 user ada") == shown.count("desk → ") == 1
    assert 'calls  find_order({"order": 7})' in shown
    assert "found  0.8  d1  Late orders." in shown
    assert "ranker → rank" in shown
    assert "4 steps" in shown.splitlines()[0]
    assert "20 → ? tokens  $0.5" in shown.splitlines()[0].replace("→ 0", "→ ?")


def test_a_call_that_was_cut_shows_an_estimate_of_its_tokens_and_no_sum_holds_it() -> None:
    guess = {"noria.estimated.input_tokens": 38, "noria.estimated.output_tokens": 12}
    cut = span(1, status="error", attributes=guess)
    assert used(cut) == "~38 → ~12"
    assert used(span(1, attributes=dict.fromkeys(guess, "<b>"))) == ""
    assert used(span(1, input_tokens=5, attributes=guess)) == "5 → ?"
    shown = drawn(cut, span(2, parent=1, input_tokens=5, output_tokens=6))
    assert "5 → 6 tokens  and ~38 → ~12 tokens of calls cut off" in shown.splitlines()[0]
    assert "~38 → ~12 tokens" in shown.splitlines()[1]


def test_a_chain_deeper_than_python_can_recurse_is_drawn_as_far_as_anybody_reads() -> None:
    shown = drawn(*(span(n, parent=n - 1 if n > 1 else None) for n in range(1, 3001)))
    assert "2,000 more steps" in shown


def test_no_step_is_left_out_because_its_parents_form_a_ring() -> None:
    shown = drawn(span(1, parent=2), span(2, parent=1), span(3))
    assert all(f"m{n}" in shown for n in (1, 2, 3))


def test_outcomes() -> None:
    call = ToolCall(id="1", name="find", arguments="{}")
    assert outcome(span(1, output=(Message(role="assistant", tool_calls=(call, call)),))) == "calls find, find"
    assert outcome(span(1, documents=(Document(text="x"),))) == "found 1 passages"
    assert outcome(span(1, status="error", error_type="timeout")) == "timeout"
    assert one_line("a\x1b[2J\n b" + "c" * 99, 10) == "a·[2J bcc…"
