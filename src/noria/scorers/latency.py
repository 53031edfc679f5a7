"""How long the call took."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from noria.core.scores import Subject
from noria.scorers.kind import Finding, Options, coded


class LatencyOptions(Options):
    """Which time."""

    of: Annotated[
        Literal["call", "ttft", "tpot"],
        Meta(description="The whole call, the time to the first token, or the time per output token after it."),
    ] = "call"


_NAMES = {"call": "The call took", "ttft": "The first token took", "tpot": "Each further token took"}


def judge(subject: Subject, options: LatencyOptions) -> Finding | None:
    """Seconds; abstains where the record has no such time. A cached reply counts as long as the earlier call took."""
    span = subject.span
    if span is None:
        return None
    seconds = {"call": span.duration_s, "ttft": span.ttft_s, "tpot": span.tpot_s}[options.of]
    if seconds is None:
        return None
    return Finding(value=seconds, reason=f"{_NAMES[options.of]} {seconds:.3g} s.")


KIND = coded(
    "Time of the call: whole, to the first token (TTFT), or per output token (TPOT).",
    LatencyOptions,
    judge,
    needs={"span"},
    value="number, seconds",
    better="lower",
)
