"""Whether the answer is the reference."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from noria.core.scores import Subject
from noria.scorers.kind import Finding, Options, coded
from noria.scorers.texts import alternatives, normalised, shown


class ExactOptions(Options):
    """What does not matter when answer and reference are compared."""

    ignore_case: Annotated[bool, Meta(description="Compare in lower case.")] = False
    strip: Annotated[bool, Meta(description="Ignore white space at both ends.")] = True
    ignore_punctuation: Annotated[bool, Meta(description="Ignore ASCII punctuation, and runs of white space.")] = False
    ignore_articles: Annotated[bool, Meta(description="Ignore a, an and the, and runs of white space.")] = False


def judge(subject: Subject, options: ExactOptions) -> Finding:
    """True when the answer equals any of the references, all normalised alike."""

    def plain(text: str) -> str:
        return normalised(
            text,
            ignore_case=options.ignore_case,
            strip=options.strip,
            ignore_punctuation=options.ignore_punctuation,
            ignore_articles=options.ignore_articles,
        )

    answer, expected = plain(subject.output), alternatives(subject.reference)
    for text in expected:
        if answer == plain(text):
            return Finding(value=True, reason=f"The answer is {shown(text)}.")
    wanted = " or ".join(shown(text) for text in expected[:3])
    return Finding(value=False, reason=f"The answer {shown(subject.output)} is not {wanted}.")


KIND = coded(
    "Whether the answer equals the reference, or any one of a list of references.",
    ExactOptions,
    judge,
    needs={"output", "reference"},
    value="boolean",
    source="With all options: SQuAD exact match, https://arxiv.org/abs/1606.05250",
)
