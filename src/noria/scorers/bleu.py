"""BLEU: n-gram precision against reference translations. Equal to ``sacrebleu``, 0 to 100.

Each score is a sentence BLEU, whose precision orders stop where the sentence ends (sacrebleu's ``effective_order``);
corpus BLEU, the one that papers report, is a metric over the run and not the mean of these.
Sources: Papineni et al. 2002, https://aclanthology.org/P02-1040/; smoothing: Chen and Cherry 2014,
https://aclanthology.org/W14-3346/; tokenisation and signature: Post 2018, https://aclanthology.org/W18-6319/.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from noria.core.scores import Scorer, Subject
from noria.scorers.aggregates import SumMetric, kept_statistics
from noria.scorers.kind import CodeScorer, Finding, Kind, Options, Setup
from noria.scorers.texts import alternatives

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ORDER = 4
WIDTH = 2 + 2 * ORDER
"""Statistics of a sentence: its length, the reference's, then matches and totals by order."""

Smooth = Literal["exp", "floor", "add-k", "none"]
Tokenize = Literal["13a", "char", "none"]

_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
# mteval-v13a.pl: symbols stand alone; so do periods and commas except within numbers; so does a dash after a digit.
_13A = (
    (re.compile(r"([{-~\[-` -&(-+:-@/])"), r" \1 "),
    (re.compile(r"([^0-9])([.,])"), r"\1 \2 "),
    (re.compile(r"([.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)


class BleuOptions(Options):
    """Which BLEU; the defaults are sacrebleu's."""

    tokenize: Annotated[
        Tokenize, Meta(description="mteval-v13a's tokens, characters, or words between white space.")
    ] = "13a"
    smooth: Annotated[Smooth, Meta(description="Smoothing of orders without a match.")] = "exp"
    smooth_value: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="For floor (0.1 when not given) and add-k (1 when not given)."),
    ] = None
    lowercase: Annotated[bool, Meta(description="Compare in lower case.")] = False


def tokens(text: str, tokenize: Tokenize = "13a") -> list[str]:
    """The text's tokens."""
    text = text.rstrip()
    if tokenize == "char":
        return [letter for letter in text if not letter.isspace()]
    if tokenize == "13a":
        text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
        for entity, character in _ENTITIES:
            text = text.replace(entity, character)
        text = f" {text} "
        for pattern, replacement in _13A:
            text = pattern.sub(replacement, text)
    return text.split()


def statistics(answer: str, references: Sequence[str], options: BleuOptions) -> list[int]:
    """The ten counts of a sentence from which BLEU is computed, for it alone or summed over a corpus."""

    def split(text: str) -> list[str]:
        return tokens(text.lower() if options.lowercase else text, options.tokenize)

    ours, theirs = split(answer), [split(text) for text in references]
    nearest = min((len(words) for words in theirs), key=lambda size: (abs(size - len(ours)), size))
    wanted: Counter[tuple[str, ...]] = Counter()
    for words in theirs:
        wanted |= _ngrams(words)
    matches, totals = [0] * ORDER, [0] * ORDER
    for gram, count in _ngrams(ours).items():
        totals[len(gram) - 1] += count
        matches[len(gram) - 1] += min(count, wanted[gram])
    return [len(ours), nearest, *matches, *totals]


def _ngrams(words: Sequence[str]) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + n]) for n in range(1, ORDER + 1) for i in range(len(words) - n + 1))


def bleu(
    sums: NDArray[np.float64], *, smooth: Smooth, smooth_value: float | None, sentence: bool
) -> NDArray[np.float64]:
    """BLEU, 0 to 100, of summed statistics.

    Arguments:
        sums: shape ``[..., 10]``.
        sentence: take the mean over the orders that have n-grams at all, instead of all four.
    """
    import numpy as np  # noqa: PLC0415

    ours, theirs = sums[..., 0], sums[..., 1]
    matches, totals = sums[..., 2 : 2 + ORDER], sums[..., 2 + ORDER :]
    log_sum, orders, halvings = np.zeros_like(ours), np.zeros_like(ours), np.ones_like(ours)
    going = np.ones(ours.shape, dtype=bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        for n in range(ORDER):
            added = (1.0 if smooth_value is None else smooth_value) if smooth == "add-k" and n else 0.0
            match, total = matches[..., n] + added, totals[..., n] + added
            going = going & (total > 0)
            missed = match == 0
            precision = match / total
            if smooth == "exp":
                halvings = np.where(going & missed, halvings * 2, halvings)
                precision = np.where(missed, 1 / (halvings * total), precision)
            elif smooth == "floor":
                precision = np.where(missed, (0.1 if smooth_value is None else smooth_value) / total, precision)
            # An order that is not there makes the product zero, unless orders are counted as far as the sentence goes.
            log_sum = log_sum + np.where(going, np.log(precision), 0.0 if sentence else -np.inf)
            orders += going
        mean = log_sum / (np.maximum(orders, 1) if sentence else ORDER)
        brevity = np.where(ours < theirs, np.exp(1 - theirs / ours), 1.0)
        score = 100 * brevity * np.exp(mean)
    found: NDArray[np.float64] = np.where(matches.any(axis=-1), score, 0.0)
    return found


def make(setup: Setup[BleuOptions]) -> Scorer:
    """Sentence BLEU, with corpus BLEU over the run."""
    options = setup.options

    def formula(sums: NDArray[np.float64], *, sentence: bool = False) -> NDArray[np.float64]:
        return bleu(sums, smooth=options.smooth, smooth_value=options.smooth_value, sentence=sentence)

    def judge(subject: Subject) -> Finding:
        import numpy as np  # noqa: PLC0415

        counts = statistics(subject.output, alternatives(subject.reference), options)
        value = float(formula(np.array(counts, dtype=np.float64), sentence=True))
        matched = ", ".join(f"{m}/{t}" for m, t in zip(counts[2 : 2 + ORDER], counts[2 + ORDER :], strict=True))
        reason = f"{counts[0]} tokens against {counts[1]}; n-grams matched: {matched}."
        return Finding(value=value, reason=reason, metadata={"statistics": counts})

    corpus = SumMetric("corpus_bleu", WIDTH, lambda score: kept_statistics(score, WIDTH), formula)
    return CodeScorer(setup.name, setup.version, KIND.needs, "higher", judge, (corpus,))


KIND = Kind(
    description="Sentence BLEU against the reference or a list of them; corpus_bleu over the run.",
    options=BleuOptions,
    make=make,
    needs=frozenset({"output", "reference"}),
    value="number, 0 to 100",
    better="higher",
    source="Papineni et al. 2002, https://aclanthology.org/P02-1040/; equal to sacrebleu",
)
