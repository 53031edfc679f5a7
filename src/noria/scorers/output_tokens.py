"""How many tokens the call generated."""

from __future__ import annotations

from noria.core.scores import Subject
from noria.scorers.kind import Finding, Options, coded


class OutputTokensOptions(Options):
    """None: the record has one count."""


def judge(subject: Subject, options: OutputTokensOptions) -> Finding | None:  # noqa: ARG001 - the shape of every judging function
    """Tokens as the provider counted them, reasoning included; abstains where nobody counted."""
    if subject.span is None or subject.span.output_tokens is None:
        return None
    return Finding(value=subject.span.output_tokens, reason=f"{subject.span.output_tokens} tokens were generated.")


KIND = coded(
    "Tokens generated, as the provider counted them.",
    OutputTokensOptions,
    judge,
    needs={"span"},
    value="number, tokens",
    better="lower",
)
