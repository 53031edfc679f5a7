"""Whatever a call's names are made of, no header of its response makes another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from noria.core.attributes import ROUTE
from noria.core.events import OnRecord, Sent
from noria.core.limits import Standing
from noria.core.requests import Lineage, Request
from noria.serve.asgi import headers_in, lines_of
from noria.serve.facts import HEADERS, Facts

NAMES = st.text() | st.sampled_from(["a\r\nset-cookie: b", "a\nb", "\0", "café: crème"])


@given(NAMES, NAMES, NAMES, NAMES)
def test_no_name_ends_a_line(provider: str, model: str, dropped: str, noted: str) -> None:
    facts = Facts("0" * 32)
    request = Request(model=model, messages=(), lineage=Lineage(variant_id=noted), attributes={ROUTE: noted})
    limits = tuple(
        Standing(limit=noted, measure=m, who=noted, amount=9, used=6, remaining=3)
        for m in ("requests", "tokens", "usd")
    )
    facts.sent = Sent(request=request, provider=provider, dropped=(dropped,), emulated=(noted,), standings=limits)
    facts.kept = OnRecord(trace_id="0", span_id="0", cost_usd=0.5, dropped=(noted,))
    lines = facts.lines()
    told = headers_in(lines)
    assert {name.decode() for name, _ in told} <= {*HEADERS, "x-request-id"}
    assert len(dict(told)) == len(told)
    assert lines_of(told) == lines
