"""Token F1: how far the words of the answer are those of the reference."""

from __future__ import annotations

from collections import Counter

from noria.core.scores import Subject
from noria.scorers.kind import Finding, Options, coded
from noria.scorers.texts import alternatives, squad


class TokenF1Options(Options):
    """None: the metric is defined whole."""


def token_f1(answer: str, reference: str) -> tuple[float, float, float]:
    """Precision, recall and F1 of the answer's tokens, order ignored, after SQuAD's normalisation.

    Where either has no token, all three are 1 when neither has and 0 otherwise, as in SQuAD 2.0.
    """
    ours, theirs = squad(answer).split(), squad(reference).split()
    if not ours or not theirs:
        same = float(ours == theirs)
        return same, same, same
    common = (Counter(ours) & Counter(theirs)).total()
    if not common:
        return 0.0, 0.0, 0.0
    precision, recall = common / len(ours), common / len(theirs)
    return precision, recall, 2 * precision * recall / (precision + recall)


def judge(subject: Subject, options: TokenF1Options) -> Finding:  # noqa: ARG001 - the shape of every judging function
    """The best F1 over the references."""
    precision, recall, f1 = max(
        (token_f1(subject.output, text) for text in alternatives(subject.reference)), key=lambda found: found[2]
    )
    return Finding(
        value=f1,
        reason=f"{precision:.0%} of the answer's words are right, {recall:.0%} of the expected words are there.",
        metadata={"precision": precision, "recall": recall},
    )


KIND = coded(
    "F1 of the answer's words against the reference's, the best of a list of references.",
    TokenF1Options,
    judge,
    needs={"output", "reference"},
    value="number, 0 to 1",
    source="SQuAD 2.0, Rajpurkar et al. 2018, https://arxiv.org/abs/1806.03822",
)
