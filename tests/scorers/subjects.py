"""Short ways to say what is judged, and how."""

from noria.core.scores import Score, ScorerSpec, Subject
from noria.core.spans import Span
from noria.scorers.registry import make


def scorer(kind, *, ask=None, **options):
    return make(ScorerSpec(kind=kind, name=f"my_{kind}", options=options), ask=ask)


async def judged(kind, output="", reference=None, *, span=None, context=(), **options) -> Score | None:
    subject = Subject(output=output, reference=reference, span=span, context=context)
    return await scorer(kind, **options).score(subject)


async def value(kind, output="", reference=None, **more):
    score = await judged(kind, output, reference, **more)
    return None if score is None else score.value


def a_span(**fields) -> Span:
    return Span(trace_id="a" * 32, span_id="b" * 16, name="chat x", start_ns=0, end_ns=1_500_000_000, **fields)
