"""What clients were told, and what is there in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from noria.assemble import open_workspace
from noria.core.questions import Question
from noria.settings import Settings


class Verdict(NamedTuple):
    """The ledger against the store."""

    kind: str
    """Which records."""
    acknowledged: int
    """Those that a client was told are kept."""
    found: int
    """Of these, how many are there."""
    lost: int
    """Acknowledged and not there."""
    doubled: int
    """There more than once, acknowledged or not."""
    unanswered: int
    """There though no client had an answer: the crash came between the sync and the answer."""
    foreign: int
    """There though nobody sent them, or changed."""


class Ledger:
    """Ids by kind of record: sent, and acknowledged. A record's id is any text that is found again in the store."""

    def __init__(self) -> None:
        self._sent: dict[str, set[str]] = {}
        self._kept: dict[str, set[str]] = {}

    def sent(self, kind: str, ids: Iterable[str]) -> None:
        """On their way."""
        self._sent.setdefault(kind, set()).update(ids)

    def kept(self, kind: str, ids: Iterable[str]) -> None:
        """The server said that it has them."""
        self._kept.setdefault(kind, set()).update(ids)

    def count(self) -> int:
        """Everything acknowledged."""
        return sum(map(len, self._kept.values()))

    def against(self, there: dict[str, list[str]]) -> list[Verdict]:
        """Compare with what is there."""
        verdicts = []
        for kind in sorted({*self._sent, *there}):
            sent, kept = self._sent.get(kind, set()), self._kept.get(kind, set())
            counted = Counter(there.get(kind, []))
            verdicts.append(
                Verdict(
                    kind,
                    acknowledged=len(kept),
                    found=sum(name in counted for name in kept),
                    lost=sum(name not in counted for name in kept),
                    doubled=sum(number > 1 for number in counted.values()),
                    unanswered=sum(name in sent and name not in kept for name in counted),
                    foreign=sum(name not in sent for name in counted),
                )
            )
        return verdicts


async def on_record(data: Path, settings: dict[str, str]) -> dict[str, list[str]]:
    """Everything in a data folder, by kind: spans sent by OTLP, calls of the gateway, scores.

    The names of the first hold their own span id, so a row with another's content is no one's.
    """
    loaded = Settings(data=str(data), keep_free_mb=0, **settings)
    async with open_workspace(loaded, {}, holder="the kill harness") as workspace:
        columns = ("trace_id", "span_id", "name")
        spans = await workspace.traces.query(Question(columns=columns, limit=None))
        scores = await workspace.traces.query(
            Question(source="scores", columns=("trace_id", "scorer", "value"), limit=None)
        )
    there: dict[str, list[str]] = {"span": [], "call": [], "score": []}
    for trace, span, name in spans.rows:
        if name == "chat up/m":
            there["call"].append(trace)
        else:
            there["span"].append(f"{trace}/{span}" if name == f"chat {span}" else f"changed {trace}/{span} {name}")
    there["score"] = [f"{trace}/{scorer}/{value}" for trace, scorer, value in scores.rows]
    return there
