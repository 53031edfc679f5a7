"""Every fault of every kind of provider, as every wire's official client sees it: docs/chaos.md is made of this.

``NORIA_WRITE_DOCS=1 pytest tests/chaos`` writes the page anew.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from noria.assemble import Workspace, open_workspace
from noria.assemble.providers.configured import KINDS
from noria.core.routes import Route
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

SURPLUS = ("again", "again-later", "goes-on")
"""Faults that send more than the reply, which not every dialect can show."""
UNHURRIED = ("busy",)
"""Faults after which the same provider is waited for, for seconds."""
KEY = "noria_test_key_that_must_never_be_shown"
WIRES_IN = ("openai", "openai_responses", "anthropic", "google")
AT_ONCE = 12
"""Calls under way together, and a quarter of those that only wait: the machine is not to be what is slow."""


class Seen(NamedTuple):
    """One call."""

    outcome: Outcome
    span: Span | None


Matrix = dict[tuple[str, str, str, bool], Seen]
"""Fault, kind of provider, wire in, streamed -> what came of it."""
Chained = dict[tuple[str, str, bool], tuple[str, Seen]]
"""Fault, ``again`` or ``over``, streamed -> the kind of the provider that has it, and what came of the call."""


class Everything(NamedTuple):
    """All that was tried."""

    matrix: Matrix
    chained: Chained


class Planned(NamedTuple):
    """One call that is to be made."""

    model: str
    wire: str
    streamed: bool
    patience_s: float


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
    } | {"well": Provider(base_url=f"{url}/openai/well/v1", attempts=1)}


def chains(url: str) -> tuple[dict[str, Provider], dict[str, Route], dict[tuple[str, str, bool], tuple[str, Planned]]]:
    """For each fault a provider that has it once and is called again, and a route to one that has it and one that is well.

    The kinds take turns, as the wires in do: what a fault looks like to each of them is seen without.
    """
    again: dict[str, Provider] = {}
    over: dict[str, Route] = {}
    planned: dict[tuple[str, str, bool], tuple[str, Planned]] = {}
    kinds, wires = itertools.cycle(SPOKEN), itertools.cycle(WIRES_IN)
    for streamed in (True, False):
        for name, fault in FAULTS.items():
            if not (fault.streamed if streamed else fault.unstreamed):
                continue
            kind, way = next(kinds), "streamed" if streamed else "whole"
            over[f"over-{name}-{way}"] = Route(targets=(f"{kind}-{name}/m", "well/m"))
            planned[name, "over", streamed] = (
                kind,
                Planned(f"over-{name}-{way}", next(wires), streamed, fault.patience_s),
            )
            if name in UNHURRIED:
                continue
            again[f"again-{name}-{way}"] = Provider(
                kind=kind,
                base_url=f"{url}/{kind}/{name}/once-{way}",
                attempts=2,
                first_token_timeout_s=fault.patience_s,
                idle_timeout_s=fault.patience_s,
                total_timeout_s=4 * fault.patience_s,
            )
            model = f"again-{name}-{way}/m"
            planned[name, "again", streamed] = kind, Planned(model, next(wires), streamed, fault.patience_s)
    return again, over, planned


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def everything(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Everything]:
    """All calls, made once."""
    data = str(tmp_path_factory.mktemp("chaos") / "data")
    async with chaos() as url:
        again, over, planned = chains(url)
        settings = Settings(data=data, providers=providers(url) | again, routes=over)
        async with open_workspace(settings, {"NORIA_API_KEY": KEY}, holder="a test") as workspace:
            spans = _noting(workspace)
            async with (
                serving(workspace, bind("127.0.0.1", 0), Access(workspace.key, [])) as (running, _),
                callers(running.url, KEY) as ins,
            ):
                chained = {key: it for key, (_, it) in planned.items()}
                seen = await _all(_calls() | chained, ins, workspace, spans)
                yield Everything(
                    {key: seen[key] for key in _calls()}, {key: (planned[key][0], seen[key]) for key in planned}
                )


@pytest.fixture
def matrix(everything: Everything) -> Matrix:
    """What each fault of each kind looked like."""
    return everything.matrix


def _noting(workspace: Workspace) -> dict[str, Span]:
    """The spans that are made durable, by trace."""
    spans: dict[str, Span] = {}
    store: Any = workspace.traces
    begin = store.begin

    def noting(batch: Any, *more: Any, **options: Any) -> Any:
        spans.update((span.trace_id, span) for span in batch)
        return begin(batch, *more, **options)

    store.begin = noting
    return spans


async def _all(
    planned: Mapping[Any, Planned], ins: Mapping[str, Call], workspace: Workspace, spans: dict[str, Span]
) -> dict[Any, Seen]:
    gate, waiting, outcomes = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(4 * AT_ONCE), {}

    async def one(key: Any, plan: Planned) -> None:
        trace = secrets.token_hex(16)
        headers = {"traceparent": f"00-{trace}-{'a' * 16}-01"}
        async with waiting if plan.patience_s < 60 else gate:
            try:
                async with asyncio.timeout(60):
                    outcome = await ins[plan.wire](plan.model, plan.streamed, headers)
            except Exception as error:  # noqa: BLE001  # a test reads what it was
                outcome = Outcome("", raised=True, odd=repr(error))
        outcomes[key] = outcome, trace

    await asyncio.gather(*(one(key, plan) for key, plan in planned.items()))
    await workspace.calling.together.drain()
    return {key: Seen(outcome, spans.get(trace)) for key, (outcome, trace) in outcomes.items()}


def _calls() -> dict[Any, Planned]:
    """Every fault of every kind. A stream that has begun is seen on the kind's own wire, where bytes pass untouched, and
    on another in turn; what happens before that is the same on all wires, so one in turn will do."""
    planned: dict[Any, Planned] = {}
    turns = itertools.cycle(WIRES_IN)
    for streamed in (True, False):
        for name, fault in FAULTS.items():
            for kind in SPOKEN:
                if fault.streamed if streamed else fault.unstreamed:
                    wires = {next(turns)}
                    if streamed and fault.begins:
                        wires |= {kind} & {*WIRES_IN} or {next(turns)}
                    for wire in sorted(wires):
                        plan = Planned(f"{kind}-{name}/m", wire, streamed, fault.patience_s)
                        planned[name, kind, wire, streamed] = plan
    return planned


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
            assert outcome.said, where
            assert "127.0.0.1" not in outcome.said, f"{where}: {outcome.said}"
            assert span.status == "error", where
            assert span.error_type in {"call_cut", "call_failed", "call_garbled", "call_timeout", "call_refused"}, where
            assert outcome.text == "" or full.startswith(outcome.text) or fault in SURPLUS, where
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
async def test_another_try_or_another_model_answers_unseen_as_long_as_nothing_was_said(everything: Everything) -> None:
    for (fault, how, streamed), (kind, (outcome, span)) in everything.chained.items():
        where = (
            f"{fault} of {kind}, {how}, {'streamed' if streamed else 'whole'}: {outcome} {span and span.error_message}"
        )
        alone, recorded = next(
            it for key, it in everything.matrix.items() if (*key[:2], key[3]) == (fault, kind, streamed)
        )
        assert span is not None, where
        assert not outcome.odd, where
        tried = span.attributes.get("noria.attempts", [])
        begun = alone.raised and alone.status == 200
        if how == "again" and alone.status != 200 and not tried:  # it would be the same the next time
            expected = True, alone.status, recorded and recorded.error_type
            assert (outcome.raised, outcome.status, span.error_type) == expected, where
            continue
        assert (outcome.raised, outcome.status) == ((True, 200) if begun else (False, 200)), where
        assert len(tried) == (2 if alone.raised and not begun else 0), where
        if not outcome.raised:
            full = SPOKEN["openai" if tried and how == "over" else kind]().text(streamed=streamed)
            assert outcome.text == full or (fault in SURPLUS and not tried), where
            assert span.output_text == outcome.text, where


@pytest.mark.asyncio(loop_scope="module")
async def test_the_page_says_what_was_seen(everything: Everything) -> None:
    seen = {key: (it.outcome, it.span and it.span.error_type) for key, it in everything.matrix.items()}
    found = page(seen, {key: _told(it) for key, (_, it) in everything.chained.items()})
    if os.environ.get("NORIA_WRITE_DOCS"):
        PAGE.write_text(found)
    written = PAGE.read_text().splitlines()
    news = [line for line in found.splitlines() if line not in written]
    assert news == [], f"{PAGE.name} should have these lines; NORIA_WRITE_DOCS=1 pytest tests/chaos writes them"
    assert found.splitlines() == written


def _told(seen: Seen) -> str:
    if seen.outcome.raised:
        when = "then an error," if seen.outcome.status == 200 else seen.outcome.status
        return f"{when} `{seen.span.error_type if seen.span else None}`"
    tried = seen.span.attributes.get("noria.attempts") if seen.span else None
    return "whole, by the second" if tried else "whole"


def test_every_kind_of_provider_is_tried() -> None:
    assert set(KINDS) == {*SPOKEN, *ALIKE, *UNTRIED}
