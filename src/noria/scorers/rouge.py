"""ROUGE: how much of a reference summary's wording is in the answer. Equal to Google's ``rouge-score``.

Source: Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries", https://aclanthology.org/W04-1013/.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from noria.core.scores import Subject
from noria.scorers import lcs
from noria.scorers.kind import Finding, Options, coded
from noria.scorers.porter import stem
from noria.scorers.texts import alternatives

_OTHER = re.compile(r"[^a-z0-9]+")


class Overlap(NamedTuple):
    """Precision, recall and their harmonic mean, 0 to 1."""

    precision: float
    recall: float
    f1: float


Form = Literal["rouge1", "rouge2", "rouge3", "rouge4", "rougeL", "rougeLsum"]


class RougeOptions(Options):
    """Which ROUGE."""

    form: Annotated[
        Form,
        Meta(description="N-grams (rouge1 ...), longest common subsequence (rougeL), or that by line (rougeLsum)."),
    ] = "rougeL"
    measure: Annotated[Literal["f1", "precision", "recall"], Meta(description="Which number is the value.")] = "f1"
    stemmer: Annotated[bool, Meta(description="Compare word stems (Porter), for English.")] = False


def tokens(text: str, *, stemmer: bool = False) -> list[str]:
    """Lower-case runs of ASCII letters and digits; with ``stemmer``, words of more than three characters stemmed.

    Text in other scripts has no tokens, as in the original: use chrF for it.
    """
    words = _OTHER.sub(" ", text.lower()).split()
    return [stem(word) if len(word) > 3 else word for word in words] if stemmer else words


def rouge(answer: str, reference: str, *, form: Form = "rougeL", stemmer: bool = False) -> Overlap:
    """ROUGE of an answer against one reference."""
    if form == "rougeLsum":
        return _by_line(_lines(answer, stemmer), _lines(reference, stemmer))
    ours, theirs = tokens(answer, stemmer=stemmer), tokens(reference, stemmer=stemmer)
    if form == "rougeL":
        return _overlap(lcs.length(theirs, ours), len(ours), len(theirs))
    n = int(form.removeprefix("rouge"))
    grams, wanted = _ngrams(ours, n), _ngrams(theirs, n)
    return _overlap((grams & wanted).total(), grams.total(), wanted.total())


def _overlap(hits: int, ours: int, theirs: int) -> Overlap:
    if not hits:
        return Overlap(0.0, 0.0, 0.0)
    precision, recall = hits / ours, hits / theirs
    return Overlap(precision, recall, 2 * precision * recall / (precision + recall))


def _ngrams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def _lines(text: str, stemmer: bool) -> list[list[str]]:
    return [tokens(line, stemmer=stemmer) for line in text.split("\n")]


def _by_line(ours: list[list[str]], theirs: list[list[str]]) -> Overlap:
    """Summary-level LCS: the union of each reference line's LCS with every line of the answer, words counted once."""
    left = Counter(word for line in ours for word in line)
    wanted = Counter(word for line in theirs for word in line)
    hits = 0
    total_ours, total_theirs = left.total(), wanted.total()
    for line in theirs:
        shared: set[int] = set().union(*(lcs.places(line, other) for other in ours))
        for place in sorted(shared):
            word = line[place]
            if left[word] and wanted[word]:
                hits += 1
                left[word] -= 1
                wanted[word] -= 1
    return _overlap(hits, total_ours, total_theirs)


def judge(subject: Subject, options: RougeOptions) -> Finding:
    """The reference with the best F1 counts."""
    best = max(
        (
            rouge(subject.output, text, form=options.form, stemmer=options.stemmer)
            for text in alternatives(subject.reference)
        ),
        key=lambda found: found.f1,
    )
    return Finding(
        value={"f1": best.f1, "precision": best.precision, "recall": best.recall}[options.measure],
        reason=f"{options.form}: precision {best.precision:.3f}, recall {best.recall:.3f}, F1 {best.f1:.3f}.",
        metadata=best._asdict(),
    )


KIND = coded(
    "ROUGE-N, ROUGE-L or ROUGE-Lsum against the reference, the best of a list of references.",
    RougeOptions,
    judge,
    needs={"output", "reference"},
    value="number, 0 to 1",
    source="Lin 2004, https://aclanthology.org/W04-1013/; equal to rouge-score",
)
