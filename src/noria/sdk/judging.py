"""``noria.score``: a judgement on a step of this application, made here or heard from a user."""

from __future__ import annotations

import time
import uuid
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span

from noria.core.scores import GivenScore, Source, Value
from noria.sdk.client import current
from noria.sdk.step import Step
from noria.sdk.values import json_text


def score(
    name: str,
    value: Value,
    *,
    reason: str = "",
    span: Step | Span | None = None,
    trace_id: str = "",
    span_id: str = "",
    source: Source = "code",
    version: str = "",
    metadata: dict[str, Any] | None = None,
) -> bool:
    """Judge a step: the current one, or the one that is named. Never waits, never raises.

    Arguments:
        name: of the judgement, such as ``helpful``.
        value: right or wrong, a number, or a category.
        reason: why, in words a person can check.
        span: the judged step, as ``noria.trace`` or OpenTelemetry gave it.
        trace_id: the judged trace, where the step is long over; with ``span_id`` one step of it.
        span_id: see above.
        source: who judged: ``code``, ``model`` or ``human``.
        version: of the scorer, where it has one.
        metadata: details, as JSON.

    Returns:
        False when there is nothing to judge (no step is under way, or it is not recorded), nothing is configured, or no
        room is left.
    """
    outbox = current().scores
    if outbox is None:
        return False
    if not trace_id:
        judged = span.span if isinstance(span, Step) else span or trace.get_current_span()
        at = judged.get_span_context()
        if not at.is_valid or not at.trace_flags.sampled:
            return False
        trace_id, span_id = format(at.trace_id, "032x"), format(at.span_id, "016x")
    made = json_text(
        GivenScore(
            id=uuid.uuid4().hex,
            name=name,
            value=value.item() if hasattr(value, "item") else value,  # numpy's scalars
            trace_id=trace_id,
            span_id=span_id,
            reason=reason,
            source=source,
            version=version,
            metadata=metadata or {},
            time_ns=time.time_ns(),
        )
    ).encode()
    return outbox.put(made, len(made))
