from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

import noria.assemble.record.retention as room
from noria.assemble import Workspace, open_workspace
from noria.assemble.clock import now
from noria.core.apps import Share, Variant
from noria.core.datasets import Case
from noria.core.errors import InvalidInput, UnknownName
from noria.core.messages import BlobPart, Message
from noria.core.questions import Question
from noria.core.requests import Lineage
from noria.core.retention import RetentionRule
from noria.core.scores import Score
from noria.core.spans import Span
from noria.settings import Settings

DAY = 86_400 * 10**9


@pytest.fixture
async def workspace(tmp_path: Path) -> AsyncIterator[Workspace]:
    async with open_workspace(Settings(data=str(tmp_path / "data")), {}, holder="a test") as opened:
        yield opened


@pytest.fixture
def span() -> Callable[..., Span]:
    """Makes spans of an age in days, each in a trace of its own."""
    numbers = itertools.count(1)

    def make(age: float, app: str | None = "triage", *, text: str = "hello", **more: object) -> Span:
        number, start = next(numbers), now() - int(age * DAY)
        lineage = Lineage(
            app=app, **{key: more.pop(key) for key in ("user_id", "session_id", "experiment_id") if key in more}
        )  # type: ignore[arg-type]
        content = more.pop("content", text)
        return Span(
            trace_id=f"{number:032x}", span_id=f"{number:016x}", name="chat", start_ns=start, end_ns=start + 1,
            input=(Message(role="user", content=content),), input_tokens=7, lineage=lineage, **more,
        )  # type: ignore[arg-type]  # fmt: skip

    return make


async def seen(workspace: Workspace, number: str, *, at_least: int = 1) -> None:
    """Wait until ``/metrics`` shows so much."""
    async with asyncio.timeout(20):
        while workspace.numbers()[number] < at_least:  # noqa: ASYNC110 - a number has no event
            await asyncio.sleep(0.01)


async def record(workspace: Workspace) -> dict[str, str]:
    """Texts on record by app, oldest first, ``-`` where there is none."""
    found: dict[str, str] = {}
    for span in reversed(await workspace.traces.spans(Question(limit=None))):
        said = span.input[0].text if span.input else "-"
        app = span.lineage.app or "nobody"
        found[app] = f"{found[app]} {said}" if app in found else said
    return found


async def test_texts_go_first_and_spans_later_by_app(workspace: Workspace, span: Callable[..., Span]) -> None:
    ages = (40, 20, 5)
    spans = [span(age, app, text=str(age)) for app in ("triage", "other", None) for age in ages]
    scores = [Score(scorer="s", version="1", value=1, trace_id=one.trace_id, span_id=one.span_id) for one in spans]
    await workspace.traces.append(spans, scores)
    workspace.catalogue.retention.put(RetentionRule(app="triage", texts_days=10, spans_days=30), by="ada")
    workspace.catalogue.retention.put(RetentionRule(app="*", spans_days=25), by="ada")
    before = await record(workspace)
    would = await workspace.retention.run(dry_run=True)
    assert await record(workspace) == before
    did = await workspace.retention.run(by="ada")
    assert await record(workspace) == {"triage": "- 5", "other": "20 5", "nobody": "20 5"}
    assert would == did
    assert [(one.rule.app, one.stripped, one.deleted) for one in did.rules] == [("*", 0, 2), ("triage", 1, 1)]
    [stripped] = await workspace.traces.spans(Question(until_ns=now() - 15 * DAY, where=(), limit=1))
    assert stripped.input_tokens == 7, "numbers outlive texts"
    left = await workspace.traces.scores(Question(source="scores", limit=None))
    assert len(left) == 6
    entries = workspace.catalogue.audit.list(action="retention.applied")
    assert [(entry.actor, entry.subject, entry.details["deleted"]) for entry in entries] == [
        ("ada", "triage", 1),
        ("ada", "*", 2),
    ]
    again = await workspace.retention.run()
    assert not any(one.stripped or one.deleted for one in again.rules)
    assert workspace.numbers()["noria_retention_spans_deleted_total"] == 3
    assert len(workspace.catalogue.audit.list(action="retention.applied")) == 2


async def test_much_is_deleted_in_slices(
    workspace: Workspace, span: Callable[..., Span], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "SLICE", 3)
    old = [span(30) for _ in range(10)]
    same = [msgspec.structs.replace(span(30), start_ns=old[0].start_ns, end_ns=old[0].end_ns) for _ in range(5)]
    await workspace.traces.append([*old, *same, span(1)])
    workspace.catalogue.retention.put(RetentionRule(app="*", spans_days=7))
    assert (await workspace.retention.run()).rules[0].deleted == 15
    assert await record(workspace) == {"triage": "hello"}


async def test_mirrored_calls_go_with_those_of_their_app(workspace: Workspace, span: Callable[..., Span]) -> None:
    apps = workspace.catalogue.apps
    apps.put("triage")
    named = apps.add_variant("triage", "plain", Variant(model="up/m"), by="a test")
    share = Share(variant_id=named.variant_id)
    apps.release("triage", [share], shadows=[share], by="a test")
    mirrored = [span(age, None, text=f"{age}", attributes={"noria.shadow_of": "triage"}) for age in (20, 1)]
    await workspace.traces.append([*mirrored, span(20, None, text="else")])
    workspace.catalogue.retention.put(RetentionRule(app="triage", texts_days=10), by="a test")
    await workspace.retention.run()
    assert sorted((await record(workspace))["nobody"].split()) == ["-", "1", "else"]


async def test_experiments_stay_unless_they_are_named(workspace: Workspace, span: Callable[..., Span]) -> None:
    await workspace.traces.append([span(30, experiment_id="e")])
    workspace.catalogue.retention.put(RetentionRule(app="triage", spans_days=7))
    await workspace.retention.run()
    assert await record(workspace) == {"triage": "hello"}
    workspace.catalogue.retention.put(RetentionRule(app="triage", spans_days=7, experiments=True))
    await workspace.retention.run()
    assert await record(workspace) == {}


async def test_large_contents_go_with_the_last_record_that_mentions_them(
    workspace: Workspace, span: Callable[..., Span]
) -> None:
    put = workspace._blobs.put
    shared, lonely, orphan, judged = put(b"shared"), put(b"lonely"), put(b"never mentioned"), put(b"why it is good")
    dataset = workspace.datasets.put("cases", [Case(id="1", input={"text": "a"})])
    attribute = {"big": {"blob": shared, "bytes": 6, "preview": "sha"}}
    await workspace.traces.append(
        [
            span(30, content=(BlobPart(sha256=lonely, bytes=6), BlobPart(sha256=shared, bytes=6))),
            young := span(1, attributes=attribute),
        ],
        [
            Score(
                scorer="s", version="1", value=1.0, trace_id=young.trace_id, reason=f"why … [14 bytes: blob {judged}]"
            ),
        ],
    )
    workspace.catalogue.retention.put(RetentionRule(app="*", spans_days=7))
    assert (await workspace.retention.run(by="ada")).blobs == 0, "all of them may belong to records on their way"
    for digest in workspace._blobs.sizes():
        os.utime(workspace._blobs.path(digest), (0, 0))
    done = await workspace.retention.run(by="ada")
    assert (done.blobs, done.blob_bytes) == (2, len(b"lonely" + b"never mentioned"))
    assert set(workspace._blobs.sizes()) == {shared, dataset.blob, judged}
    assert not workspace._blobs.has(orphan)
    [entry] = workspace.catalogue.audit.list(action="blobs.collected")
    assert entry.details["blobs"] == 2


async def test_rules_that_say_nothing_or_too_much_are_refused(workspace: Workspace) -> None:
    rules = workspace.catalogue.retention
    for rule, sentence in (
        (RetentionRule(app="a"), "says nothing"),
        (RetentionRule(app=" ", spans_days=1), "names no app"),
        (RetentionRule(app="a", spans_days=0), "choose 1 to"),
        (RetentionRule(app="a", texts_days=-1), "choose 1 to"),
        (RetentionRule(app="a", texts_days=30, spans_days=30), "go with the span"),
    ):
        with pytest.raises(InvalidInput, match=sentence):
            rules.put(rule)
    rules.put(RetentionRule(app="a", spans_days=1), by="ada")
    with pytest.raises(UnknownName):
        rules.remove("b")
    assert rules.remove("a", by="eve").spans_days == 1
    assert rules.list() == []
    told = [(entry.actor, entry.action) for entry in workspace.catalogue.audit.list(2)]
    assert told == [("eve", "retention.removed"), ("ada", "retention.set")]


async def test_a_server_applies_the_rules_by_itself(
    workspace: Workspace, span: Callable[..., Span], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "FIRST_AFTER_S", 0.0)
    await workspace.traces.append([span(30), span(1)])
    workspace.catalogue.retention.put(RetentionRule(app="*", spans_days=7))
    workspace.announce("http://127.0.0.1:1")
    await seen(workspace, "noria_retention_runs_total")
    assert await record(workspace) == {"triage": "hello"}


async def test_a_run_that_fails_is_counted_and_tried_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "FIRST_AFTER_S", 0.0)
    monkeypatch.setattr(room, "EVERY_S", 0.0)
    monkeypatch.setattr(workspace.catalogue.retention, "list", lambda: 1 / 0)
    workspace.announce("http://127.0.0.1:1")
    await seen(workspace, "noria_retention_failed_total", at_least=2)
    monkeypatch.undo()
