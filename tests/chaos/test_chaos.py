"""Every fault of every kind of provider, as every wire's official client sees it: docs/chaos.md is made of this.

``NORIA_WRITE_DOCS=1 pytest tests/chaos`` writes the page anew.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from noria.assemble import Workspace, open_workspace
from noria.assemble.providers import KINDS
from noria.core.spans import Span
from noria.serve.access import Access
from noria.serve.port import bind
from noria.serve.run import serving
from noria.settings import Provider, Settings

from .callers import Call, Outcome, callers
from .faults import FAULTS
from .page import PAGE, page
from .spoken import ALIKE, SPOKEN, UNTRIED
from .upstream import chaos

SURPLUS = ("again", "goes-on")
"""Faults that send more than the reply, which not every dialect can show."""
KEY = "noria_test_key_that_must_never_be_shown"
WIRES_IN = ("openai", "anthropic", "google")
AT_ONCE = 12
"""Calls under way together, and a quarter of those that only wait: the machine is not to be what is slow."""


class Seen(NamedTuple):
    """One call."""

    outcome: Outcome
    span: Span | None


Matrix = dict[tuple[str, str, str, bool], Seen]
"""Fault, kind of provider, wire in, streamed -> what came of it."""


def providers(url: str) -> dict[str, Provider]:
    """One for each fault and kind."""
    return {
        f"{kind}-{name}": Provider(
            kind=kind,
            base_url=f"{url}/{kind}/{name}",
            attempts=1,
            first_token_timeout_s=fault.patience_s,
            idle_timeout_s=fault.patience_s,
            total_timeout_s=4 * fault.patience_s,
        )
        for kind in SPOKEN
        for name, fault in FAULTS.items()
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def matrix(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Matrix]:
    """All calls, made once."""
    data = str(tmp_path_factory.mktemp("chaos") / "data")
    async with chaos() as url:
        settings = Settings(data=data, providers=providers(url))
        async with open_workspace(settings, {"NORIA_API_KEY": KEY}, holder="a test") as workspace:
            spans = _noting(workspace)
            async with (
                serving(workspace, bind("127.0.0.1", 0), Access(workspace.key, [])) as (running, _),
                callers(running.url, KEY) as ins,
            ):
                yield await _all(ins, workspace, spans)


def _noting(workspace: Workspace) -> dict[str, Span]:
    """The spans that are made durable, by trace."""
    spans: dict[str, Span] = {}
    store: Any = workspace.traces
    append = store.append

    async def noting(batch: Any, *more: Any, **options: Any) -> Any:
        spans.update((span.trace_id, span) for span in batch)
        return await append(batch, *more, **options)

    store.append = noting
    return spans


async def _all(ins: Any, workspace: Workspace, spans: dict[str, Span]) -> Matrix:
    gate, waiting, outcomes = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(4 * AT_ONCE), {}

    async def one(key: tuple[str, str, str, bool], call: Call) -> None:
        fault, kind, _, streamed = key
        trace = secrets.token_hex(16)
        headers = {"traceparent": f"00-{trace}-{'a' * 16}-01"}
        async with waiting if FAULTS[fault].patience_s < 60 else gate:
            try:
                async with asyncio.timeout(60):
                    outcome = await call(f"{kind}-{fault}/m", streamed, headers)
            except Exception as error:  # noqa: BLE001  # a test reads what it was
                outcome = Outcome("", raised=True, odd=repr(error))
        outcomes[key] = outcome, trace

    await asyncio.gather(*(one(key, ins[key[2]]) for key in _calls()))
    await workspace.calling.recorded.drain()
    return {key: Seen(outcome, spans.get(trace)) for key, (outcome, trace) in outcomes.items()}


def _calls() -> Iterator[tuple[str, str, str, bool]]:
    """Every fault of every kind. A stream that has begun is seen on the kind's own wire, where bytes pass untouched, and
    on another in turn; what happens before that is the same on all wires, so one in turn will do."""
    turns = itertools.cycle(WIRES_IN)
    for streamed in (True, False):
        for name, fault in FAULTS.items():
            for kind in SPOKEN:
                if fault.streamed if streamed else fault.unstreamed:
                    wires = {next(turns)}
                    if streamed and fault.begins:
                        wires |= {kind} & {*WIRES_IN} or {next(turns)}
                    yield from ((name, kind, wire, streamed) for wire in sorted(wires))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.asyncio(loop_scope="module")
async def test_no_fault_ends_as_if_the_reply_were_whole(matrix: Matrix, fault: str) -> None:
    for (name, kind, wire, streamed), (outcome, span) in matrix.items():
        if name != fault:
            continue
        where = f"{fault} of {kind} for {wire}, {'streamed' if streamed else 'whole'}: {outcome} {span and span.error_message}"
        assert span is not None, where
        full = SPOKEN[kind]().text(streamed=streamed)
        assert not outcome.odd, where
        if outcome.raised:
            assert span.status == "error", where
            assert span.error_type in {"call_cut", "call_failed", "call_timeout", "call_refused"}, where
            assert outcome.text == "" or full.startswith(outcome.text) or fault == "again", where
            assert outcome.status == 200 or outcome.status >= 400, where
        else:
            assert span.status == "ok", where
            assert outcome.text == full or (fault in SURPLUS and len(outcome.text) > len(full)), where
        # the end of a reply is held back until it is on record, so a caller may have seen less of one that failed
        assert span.output_text.startswith(outcome.text) if outcome.raised else span.output_text == outcome.text, where


@pytest.mark.asyncio(loop_scope="module")
async def test_every_wire_in_tells_the_same(matrix: Matrix) -> None:
    for (fault, kind, wire, streamed), (outcome, span) in matrix.items():
        other = next(seen for key, seen in matrix.items() if (*key[:2], key[3]) == (fault, kind, streamed))
        told, expected = (
            (it.raised, it.status, "" if it.raised else it.text, of and of.error_type)
            for it, of in ((outcome, span), (other.outcome, other.span))
        )
        assert told == expected, (fault, kind, wire, streamed, outcome, other.outcome)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_page_says_what_was_seen(matrix: Matrix) -> None:
    seen = {key: (it.outcome, it.span and it.span.error_type) for key, it in matrix.items()}
    found = page(seen)
    if os.environ.get("NORIA_WRITE_DOCS"):
        PAGE.write_text(found)
    written = PAGE.read_text().splitlines()
    news = [line for line in found.splitlines() if line not in written]
    assert news == [], f"{PAGE.name} should have these lines; NORIA_WRITE_DOCS=1 pytest tests/chaos writes them"
    assert found.splitlines() == written


def test_every_kind_of_provider_is_tried() -> None:
    assert set(KINDS) == {*SPOKEN, *ALIKE, *UNTRIED}
