"""Coverage-guided fuzzing of questions, with atheris (libFuzzer): refusals are fine, anything else is a defect.

    python tests/fuzz/questions.py [CORPUS] [-max_total_time=60]

The first byte chooses what the rest is: a question as JSON, a condition, a score condition, a time, or a search text.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["noria.core", "noria.stores.traces", "noria.serve.api.conditions"]):
    import msgspec

    from noria.core.errors import InvalidInput
    from noria.core.questions import Question
    from noria.core.scores import Score
    from noria.core.spans import Span
    from noria.serve.api.conditions import column_condition, score_condition
    from noria.serve.times import moment
    from noria.stores.traces.memory import MemoryTraces
    from noria.stores.traces.words import phrases

NOW_NS = 1_795_600_000_000_000_000
STORE = MemoryTraces()


def run(coroutine):
    """Drive a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waited")


span = {"trace_id": "a" * 32, "name": "chat", "start_ns": NOW_NS, "end_ns": NOW_NS + 1}
run(
    STORE.append(
        [Span(span_id=f"{number:016x}", attributes={"k": number}, **span) for number in range(3)],
        [
            Score(scorer="s", version="1", value=number / 2, trace_id="a" * 32, span_id=f"{number:016x}")
            for number in range(3)
        ],
    )
)


def ask(question: Question) -> None:
    """Every way to ask it."""
    for way in (STORE.query, STORE.spans, STORE.scores):
        try:
            answer = run(way(question))
        except InvalidInput as error:
            assert str(error)
            continue
        msgspec.json.encode(answer)


def one_input(data: bytes) -> None:
    """One thing that somebody sent."""
    if not data:
        return
    kind, body = data[0] % 5, data[1:]
    try:
        if kind == 0:
            ask(msgspec.json.decode(body, type=Question))
            return
        text = body.decode()
        if kind == 1:
            ask(Question(where=(column_condition(text),)))
        elif kind == 2:
            ask(Question(scored=(score_condition(text),)))
        elif kind == 3:
            assert moment(text, NOW_NS) >= 0
        else:
            assert phrases(text)
            ask(Question(text=text))
    except (InvalidInput, msgspec.DecodeError, UnicodeDecodeError):
        return


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
