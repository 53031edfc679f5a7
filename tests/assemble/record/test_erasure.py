from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from noria.assemble import Workspace, open_workspace
from noria.core.datasets import Case
from noria.core.erasures import Erasure, is_about
from noria.core.errors import Conflict, InvalidInput, StorageFull
from noria.core.messages import BlobPart, Message, Part
from noria.core.prompts import Block, Prompt
from noria.core.questions import Question
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Span
from noria.settings import Settings

ANN = 'ann "quoted" /漢字@example.com'
MARKER = "what-only-ann-has-ever-said"


@pytest.fixture
async def workspace(tmp_path: Path) -> AsyncIterator[Workspace]:
    async with open_workspace(Settings(data=str(tmp_path / "data")), {}, holder="a test") as opened:
        yield opened


def span(
    name: str, trace: int, *, user: str | None = None, session: str | None = None, below: str | None = None,
    parts: tuple[Part, ...] = (),
) -> Span:  # fmt: skip
    content: str | tuple[Part, ...] = parts or (MARKER if user == ANN else name)
    return Span(
        trace_id=f"{trace:032x}", span_id=name.ljust(16, "0"), parent_id=below and below.ljust(16, "0"), name=name,
        start_ns=trace, end_ns=trace + 1, input=(Message(role="user", content=content),),
        lineage=Lineage(user_id=user, session_id=session),
    )  # fmt: skip


async def left(workspace: Workspace) -> set[str]:
    return {one.name for one in await workspace.traces.spans(Question(limit=None))}


async def test_what_belongs_to_a_user_goes_and_nothing_else(workspace: Workspace) -> None:
    await workspace.traces.append(
        [
            span("root", 1, user=ANN),  # a trace in which nobody else is named
            span("step", 1, below="root"),
            span("unrelated", 1),
            span("shared", 2),  # a trace that others are named in
            span("hers", 2, user=ANN, below="shared"),
            span("below", 2, below="hers"),
            span("deeper", 2, below="below"),
            span("bobs", 2, user="bob", below="deeper"),
            span("underbob", 2, below="bobs"),
            span("talk1", 3, user=ANN, session="s1"),  # a session in which nobody else is named
            span("talk2", 4, session="s1"),
            span("group1", 5, user=ANN, session="s2"),  # a session of two
            span("group2", 6, session="s2"),
            span("group3", 7, user="bob", session="s2"),
            span("nobody", 8),
        ]
    )
    expected = {"shared", "bobs", "underbob", "group2", "group3", "nobody"}
    looked = await workspace.erasures.erase(ANN, dry_run=True)
    assert looked.receipt is None
    assert len(await left(workspace)) == 15
    done = await workspace.erasures.erase(ANN, by="ada")
    assert await left(workspace) == expected
    assert done.found == looked.found
    assert (done.found.spans, done.found.traces, done.found.sessions) == (9, 5, 2)


async def test_a_second_time_finds_nothing(workspace: Workspace) -> None:
    await workspace.traces.append([span("root", 1, user=ANN)])
    await workspace.erasures.erase(ANN)
    assert await workspace.erasures.erase(ANN) == Erasure(found=(await workspace.erasures.erase("nobody")).found)
    assert len(workspace.erasures.receipts()) == 1
    with pytest.raises(InvalidInput, match="empty id"):
        await workspace.erasures.erase("")


async def test_the_receipt_counts_and_does_not_tell_who(workspace: Workspace) -> None:
    one, bobs = span("root", 1, user=ANN), span("other", 2, user="bob")
    scores = [
        Score(scorer="s", version="1", value=True, trace_id=of.trace_id, span_id=of.span_id) for of in (one, one, bobs)
    ]
    await workspace.traces.append([one, bobs], scores)
    receipt = (await workspace.erasures.erase(ANN, by="ada")).receipt
    assert receipt
    assert (receipt.actor, receipt.erased.spans, receipt.erased.scores) == ("ada", 1, 2)
    assert is_about(receipt, ANN)
    assert not is_about(receipt, "bob")
    assert len(await workspace.traces.scores(Question(source="scores"))) == 1
    [entry] = workspace.catalogue.audit.list(action="user.erased")
    assert (entry.seq, entry.hash, entry.subject) == (receipt.audit_seq, receipt.audit_hash, receipt.id)
    assert list(workspace.erasures.receipts()) == [receipt]
    assert "example.com" not in str(receipt) + str(workspace.catalogue.audit.list())


async def test_scores_on_a_trace_itself_go_with_the_trace(workspace: Workspace) -> None:
    def score(trace: int, span_id: str = "") -> Score:
        return Score(scorer="s", version="1", value=1, reason=MARKER, trace_id=f"{trace:032x}", span_id=span_id)

    await workspace.traces.append(
        [span("root", 1, user=ANN), span("shared", 2, user="bob"), span("hers", 2, user=ANN, below="shared")],
        [score(1), score(1, "f" * 16), score(2), score(3)],
    )
    looked = await workspace.erasures.erase(ANN, dry_run=True)
    assert (await workspace.erasures.erase(ANN)).found.scores == looked.found.scores == 2
    left = await workspace.traces.scores(Question(source="scores", limit=None))
    assert sorted(one.trace_id for one in left) == [f"{2:032x}", f"{3:032x}"]
    assert len(await workspace.traces.spans(Question(limit=None))) == 1


async def test_large_contents_go_when_nobody_else_mentions_them(workspace: Workspace) -> None:
    put = workspace._blobs.put
    hers, both, judged = put(MARKER.encode()), put(b"of both"), put(f"on {MARKER}".encode())
    await workspace.traces.append(
        [
            span("root", 1, user=ANN, parts=(BlobPart(sha256=hers, bytes=1), BlobPart(sha256=both, bytes=1))),
            span("other", 2, user="bob", parts=(BlobPart(sha256=both, bytes=7),)),
        ],
        [
            Score(
                scorer="s", version="1", value=1.0, trace_id=f"{1:032x}", span_id="root".ljust(16, "0"),
                metadata={"why": {"blob": judged, "bytes": 1, "preview": "on"}},
            ),
        ],
    )  # fmt: skip
    erased = (await workspace.erasures.erase(ANN)).found
    assert (erased.blobs, erased.blob_bytes) == (tuple(sorted((hers, judged))), len(f"on {MARKER}{MARKER}"))
    assert set(workspace._blobs.sizes()) == {both}


async def test_nothing_in_the_folder_holds_their_words_any_more(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path / "data"))
    async with open_workspace(settings, {}, holder="a test") as workspace:
        blob = workspace._blobs.put(f"{MARKER} at length".encode())
        await workspace.traces.append([span(f"n{trace}", trace, user=ANN) for trace in range(1, 50)])
        await workspace.traces.spans(Question(limit=1))
        await workspace.traces.append(
            [span("late", 60, user=ANN, parts=(BlobPart(sha256=blob, bytes=9, preview=MARKER),)), span("other", 61)]
        )
        assert holding(settings.folder)
        await workspace.erasures.erase(ANN)
        assert holding(settings.folder) == []
    assert holding(settings.folder) == []


def holding(folder: Path) -> list[str]:
    """Files with something of hers in them."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    words = (MARKER.encode(), ANN.encode(), b'ann \\"quoted')
    return [path.name for path in found if any(word in path.read_bytes() for word in words)]


async def test_what_people_wrote_about_them_is_named_for_people_to_decide(workspace: Workspace) -> None:
    prompt = Prompt(blocks=(Block(role="user", template="hi"),), examples=({"who": ANN},))
    workspace.catalogue.prompts.push("greet", prompt, by="ada")
    dataset = workspace.datasets.put("cases", [Case(id="1", input={"who": ANN}), Case(id="2", input={})])
    workspace.datasets.put("others", [Case(id="1", input={"who": "bob"})])
    workspace.catalogue.audit.add("backup.begun", "monday.tar", by="ada")
    await workspace.traces.append([span("root", 1, user=ANN)])
    receipt = (await workspace.erasures.erase(ANN)).receipt
    assert receipt
    assert receipt.mentions == {"prompt": (prompt.id,), "dataset": (f"cases {dataset.id}",)}
    assert [backup.split(",")[0] for backup in receipt.backups] == ["monday.tar"]


async def test_an_erasure_that_was_cut_short_is_simply_run_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    await workspace.traces.append(
        [span("root", 1, user=ANN, session="s"), span("step", 1, below="root"), span("talk", 2, session="s")]
    )
    delete, calls = workspace.traces.delete, iter(range(10))

    async def cut(question: Question) -> int:
        if next(calls) == 2:
            raise StorageFull("The disk is full.")
        return await delete(question)

    monkeypatch.setattr(workspace.erasures._traces, "delete", cut)
    # The first round takes her trace and her session; what names her is left to the last, which fails.
    await workspace.traces.append([span("shared", 3, user="bob"), span("hers", 3, user=ANN, below="shared")])
    with pytest.raises(StorageFull):
        await workspace.erasures.erase(ANN)
    assert workspace.erasures.receipts() == []
    assert len(workspace.catalogue.audit.list(action="erasure.begun")) == 1
    monkeypatch.undo()
    assert (await workspace.erasures.erase(ANN)).receipt
    assert await left(workspace) == {"shared"}


async def test_a_user_who_keeps_calling_is_a_conflict(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    delete, number = workspace.traces.delete, iter(range(10, 1000))

    async def and_another(question: Question) -> int:
        count = await delete(question)
        await workspace.traces.append([span(f"n{trace}", trace, user=ANN) for trace in [next(number)]])
        return count

    monkeypatch.setattr("noria.assemble.record.erasure._ROUNDS", 1)
    await workspace.traces.append([span("root", 1, user=ANN)])
    monkeypatch.setattr(workspace.erasures._traces, "delete", and_another)
    with pytest.raises(Conflict, match="Stop their calls"):
        await workspace.erasures.erase(ANN)
