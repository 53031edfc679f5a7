"""Traffic: model calls by time and model, with error rates and percentiles."""

from __future__ import annotations

from typing import Any, Literal

from msgspec.structs import replace

from noria.assemble.record.activity import WHOLES
from noria.core.protocols import TraceStore
from noria.core.questions import Aggregate, Filter, Measure, Order, Question
from noria.core.struct import Noun

Bucket = Literal["minute", "hour", "day", "all"]
By = Literal["model", "provider", "app", "variant_id", "prompt_id", "user_id", "operation"]
WIDTH_S: dict[Bucket, int] = {"minute": 60, "hour": 3600, "day": 86_400}
TOLERANCE = 0.01
"""Relative error of percentiles that is allowed, so that a store may answer from its sketches."""
_MEASURES: dict[str, tuple[Measure, str | None]] = {
    "calls": ("count", None),
    "failed": ("sum", "failed"),
    "input_tokens": ("sum", "input_tokens"),
    "output_tokens": ("sum", "output_tokens"),
    "cost_usd": ("sum", "cost_usd"),
    "ttft_p50_s": ("p50", "ttft_s"),
    "ttft_p95_s": ("p95", "ttft_s"),
    "tpot_p50_s": ("p50", "tpot_s"),
    "duration_p50_s": ("p50", "duration_s"),
    "duration_p95_s": ("p95", "duration_s"),
    "duration_p99_s": ("p99", "duration_s"),
}


class Traffic(Noun):
    """Calls of one group in one bucket of time."""

    group: str | None
    """The model, app ...; None where the calls name none."""
    time_ns: int | None
    """Start of the bucket, nanoseconds since 1970 UTC; None where all times are one."""
    calls: int
    """How many."""
    failed: int
    """Those that failed."""
    input_tokens: int | None
    """Prompt tokens; None where nobody counted."""
    output_tokens: int | None
    """Generated tokens; None where nobody counted."""
    cost_usd: float | None
    """Price in US dollars; None where no call's price is known."""
    ttft_p50_s: float | None
    """Median time to first token, seconds; None where nothing was streamed."""
    ttft_p95_s: float | None
    """Its 95th percentile."""
    tpot_p50_s: float | None
    """Median time per output token after the first, seconds."""
    duration_p50_s: float | None
    """Median wall time, seconds."""
    duration_p95_s: float | None
    """Its 95th percentile."""
    duration_p99_s: float | None
    """Its 99th percentile."""
    error: float
    """Largest relative error of the percentiles; 0 where they are exact."""


async def traffic(traces: TraceStore, question: Question, *, by: By, bucket: Bucket, limit: int) -> list[Traffic]:
    """Calls that match, the newest bucket first, within it the busiest group first.

    Model calls alone: steps that only hold others, such as agents, would count their calls again.
    """
    timed = bucket != "all"
    asked = replace(
        question,
        where=(
            *question.where,
            Filter(column="model", op="is not null"),
            Filter(column="operation", op="not in", value=list(WHOLES)),
        ),
        group_by=("time", by) if timed else (by,),
        bucket_s=WIDTH_S.get(bucket),
        measures=tuple(Aggregate(measure=m, column=column, name=name) for name, (m, column) in _MEASURES.items()),
        order=(*([Order(column="time", descending=True)] if timed else []), Order(column="calls", descending=True)),
        limit=limit,
        tolerance=TOLERANCE,
    )
    table = await traces.query(asked)
    return [_traffic(row, by, table.error) for row in table.records()]


def _traffic(row: dict[str, Any], by: By, error: float) -> Traffic:
    return Traffic(group=row.pop(by), time_ns=row.pop("time", None), **row, error=error)
