"""Whether the answer is one of the labels it may be."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from noria.core.scores import Subject
from noria.scorers.kind import Finding, Options, coded
from noria.scorers.texts import shown


class OneOfOptions(Options):
    """The labels."""

    labels: Annotated[tuple[str, ...], Meta(min_length=1, description="Answers that are allowed.")]
    ignore_case: Annotated[bool, Meta(description="Compare case-folded.")] = False
    strip: Annotated[bool, Meta(description="Ignore white space at both ends.")] = True


def judge(subject: Subject, options: OneOfOptions) -> Finding:
    """True when the whole answer is a label."""

    def plain(text: str) -> str:
        text = text.strip() if options.strip else text
        return text.casefold() if options.ignore_case else text

    answer = plain(subject.output)
    for label in options.labels:
        if answer == plain(label):
            return Finding(value=True, reason=f"The answer is {shown(label)}.", metadata={"label": label})
    return Finding(
        value=False, reason=f"The answer {shown(subject.output)} is none of the {len(options.labels)} labels."
    )


KIND = coded(
    "Whether the whole answer is one of the allowed labels. Needs no reference, so it can watch live traffic.",
    OneOfOptions,
    judge,
    needs={"output"},
    value="boolean",
)
