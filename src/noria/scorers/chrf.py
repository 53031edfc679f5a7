"""chrF: character n-gram F-score against reference translations. Equal to ``sacrebleu``, 0 to 100.

Corpus chrF, the one that papers report, is a metric over the run and not the mean of the scores.
Sources: Popović 2015, https://aclanthology.org/W15-3049/; chrF++ (``word_order: 2``): Popović 2017,
https://aclanthology.org/W17-4770/.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from noria.core.scores import Scorer, Subject
from noria.scorers.aggregates import SumMetric, kept_statistics
from noria.scorers.kind import CodeScorer, Finding, Kind, Options, Setup
from noria.scorers.texts import alternatives

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ChrfOptions(Options):
    """Which chrF; the defaults are sacrebleu's."""

    char_order: Annotated[int, Meta(ge=1, le=10, description="Longest character n-gram.")] = 6
    word_order: Annotated[int, Meta(ge=0, le=4, description="Longest word n-gram; 2 makes it chrF++.")] = 0
    beta: Annotated[float, Meta(gt=0, description="How much more recall counts than precision.")] = 2
    lowercase: Annotated[bool, Meta(description="Compare in lower case.")] = False
    whitespace: Annotated[bool, Meta(description="Count white space among the characters.")] = False

    @property
    def orders(self) -> int:
        """Kinds of n-gram that are counted."""
        return self.char_order + self.word_order


def words(text: str) -> list[str]:
    """Words between white space, with one punctuation mark at the end, or else at the start, apart."""
    found: list[str] = []
    for word in text.split():
        if len(word) > 1 and word[-1] in string.punctuation:
            found += [word[:-1], word[-1]]
        elif len(word) > 1 and word[0] in string.punctuation:
            found += [word[0], word[1:]]
        else:
            found.append(word)
    return found


def _ngrams(text: str, options: ChrfOptions) -> list[Counter[str]]:
    text = text.lower() if options.lowercase else text
    letters = text if options.whitespace else "".join(text.split())
    counts = [
        Counter(letters[i : i + n] for i in range(len(letters) - n + 1)) for n in range(1, options.char_order + 1)
    ]
    return counts + list(_word_ngrams(words(text), options.word_order) if options.word_order else ())


def _word_ngrams(found: Sequence[str], order: int) -> Iterator[Counter[str]]:
    for n in range(1, order + 1):
        yield Counter(" ".join(found[i : i + n]) for i in range(len(found) - n + 1))


def statistics(answer: str, references: Sequence[str], options: ChrfOptions) -> list[int]:
    """For each kind of n-gram: how many the answer has, how many the reference has, and how many match.

    Of several references, the one with the best score counts, the first of equals.
    """
    ours = _ngrams(answer, options)
    found = [_matches(ours, _ngrams(text, options)) for text in references]
    if len(found) == 1:
        return found[0]
    import numpy as np  # noqa: PLC0415

    return found[int(np.argmax(chrf(np.array(found, dtype=np.float64), beta=options.beta)))]


def _matches(ours: Sequence[Counter[str]], theirs: Sequence[Counter[str]]) -> list[int]:
    counts: list[int] = []
    for grams, wanted in zip(ours, theirs, strict=True):
        # An order that the reference is too short for is not held against the answer.
        counts += [grams.total() if wanted else 0, wanted.total(), (grams & wanted).total()]
    return counts


def chrf(sums: NDArray[np.float64], *, beta: float) -> NDArray[np.float64]:
    """chrF, 0 to 100, of summed statistics of shape ``[..., 3 orders]``.

    Precision and recall are means over the orders that both sides have.
    """
    import numpy as np  # noqa: PLC0415

    ours, theirs, matches = sums[..., 0::3], sums[..., 1::3], sums[..., 2::3]
    both = (ours > 0) & (theirs > 0)
    orders = np.maximum(both.sum(axis=-1), 1)
    precision = np.where(both, matches / np.where(both, ours, 1), 0).sum(axis=-1) / orders
    recall = np.where(both, matches / np.where(both, theirs, 1), 0).sum(axis=-1) / orders
    factor = beta**2
    below = factor * precision + recall
    found: NDArray[np.float64] = 100 * (1 + factor) * precision * recall / np.where(below > 0, below, 1)
    return found


def make(setup: Setup[ChrfOptions]) -> Scorer:
    """Sentence chrF, with corpus chrF over the run."""
    options, width = setup.options, 3 * setup.options.orders

    def formula(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return chrf(sums, beta=options.beta)

    def judge(subject: Subject) -> Finding:
        import numpy as np  # noqa: PLC0415

        counts = statistics(subject.output, alternatives(subject.reference), options)
        value = float(formula(np.array(counts, dtype=np.float64)))
        reason = f"{counts[2]} of {counts[0]} characters match, {counts[1]} are expected."
        return Finding(value=value, reason=reason, metadata={"statistics": counts})

    corpus = SumMetric("corpus_chrf", width, lambda score: kept_statistics(score, width), formula)
    return CodeScorer(setup.name, setup.version, KIND.needs, "higher", judge, (corpus,))


KIND = Kind(
    description="Sentence chrF or chrF++ against the reference or a list of them; corpus_chrf over the run.",
    options=ChrfOptions,
    make=make,
    needs=frozenset({"output", "reference"}),
    value="number, 0 to 100",
    better="higher",
    source="Popović 2015, https://aclanthology.org/W15-3049/; equal to sacrebleu",
)
