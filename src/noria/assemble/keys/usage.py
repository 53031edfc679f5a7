"""What keys were used for, from the record: each call carries its key's id, also one that Noria made on its account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from noria.assemble.record.traffic import WIDTH_S, Bucket
from noria.core.attributes import KEY_ID, PURPOSE, REFUSED_BY
from noria.core.keys import Key
from noria.core.protocols import TraceStore
from noria.core.questions import Aggregate, Filter, Order, Question
from noria.core.struct import Noun

_COLUMN = f"attributes.{KEY_ID}"
_MEASURES = (
    Aggregate(measure="count", name="calls"),
    Aggregate(measure="count", column=f"attributes.{PURPOSE}", name="caused"),
    Aggregate(measure="sum", column="failed", name="failed"),
    Aggregate(measure="count", column=f"attributes.{REFUSED_BY}", name="refused"),
    Aggregate(measure="sum", column="input_tokens", name="input_tokens"),
    Aggregate(measure="sum", column="output_tokens", name="output_tokens"),
    Aggregate(measure="sum", column="cost_usd", name="cost_usd"),
    Aggregate(measure="count", column="cost_usd", name="priced"),
)


class KeyUsage(Noun):
    """Calls of one key, of one model in one bucket of time, or of all."""

    key_id: str
    """The key's id."""
    key: str = ""
    """Its name; empty where the key is no longer known."""
    model: str | None = None
    """The model as ``provider/model``; None for all, and for calls that were refused before one was chosen."""
    time_ns: int | None = None
    """Start of the bucket, nanoseconds since 1970 UTC; None where all times are one."""
    calls: int = 0
    """How many, refused ones included."""
    caused: int = 0
    """How many of them Noria made by itself: for judges of the key's other calls, and for the cache."""
    failed: int = 0
    """Those that failed, without the refused ones."""
    refused: int = 0
    """Those that a limit, a guard, an open breaker, a provider without a free place, or a mistake of their caller's ended."""
    input_tokens: int | None = None
    """Prompt tokens; None where nobody counted."""
    output_tokens: int | None = None
    """Generated tokens; None where nobody counted."""
    cost_usd: float | None = None
    """US dollars, what broke off included; None where no call's price is known."""
    unpriced: int = 0
    """Calls without a known cost, failed ones that cost nothing included."""


async def key_usage(
    traces: TraceStore, keys: Sequence[Key], question: Question, *, key: Key | None, bucket: Bucket, limit: int
) -> list[KeyUsage]:
    """Use of keys, the latest bucket first, within it who cost most.

    Arguments:
        traces: the record.
        keys: for their names.
        question: narrows it down, in time above all.
        key: this one alone, by model; None for all, each in one row a bucket.
        bucket: width of a row in time.
        limit: most rows.
    """
    timed = bucket != "all"
    mine = Filter(column=_COLUMN, op="is not null") if key is None else Filter(column=_COLUMN, value=key.id)
    by = (_COLUMN,) if key is None else (_COLUMN, "provider", "model")
    asked = Question(
        where=(*question.where, mine),
        since_ns=question.since_ns,
        until_ns=question.until_ns,
        group_by=("time", *by) if timed else by,
        bucket_s=WIDTH_S.get(bucket),
        measures=_MEASURES,
        order=(
            *([Order(column="time", descending=True)] if timed else []),
            Order(column="cost_usd", descending=True),
            Order(column="calls", descending=True),
        ),
        limit=limit,
    )
    names = {one.id: one.name for one in keys}
    return [_usage(row, names) for row in (await traces.query(asked)).records()]


def _usage(row: dict[str, Any], names: dict[str, str]) -> KeyUsage:
    id, provider, model = str(row[_COLUMN]), row.get("provider"), row.get("model")
    return KeyUsage(
        key_id=id,
        key=names.get(id, ""),
        model=f"{provider}/{model}" if provider and model else model,
        time_ns=row.get("time"),
        calls=row["calls"],
        caused=row["caused"],
        failed=row["failed"] - row["refused"],
        refused=row["refused"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cost_usd=row["cost_usd"],
        unpriced=row["calls"] - row["priced"],
    )
