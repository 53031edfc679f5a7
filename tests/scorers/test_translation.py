"""BLEU and chrF: equality with sacrebleu, for sentences and corpora."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF

from noria.core.datasets import Case
from noria.core.errors import InvalidInput
from noria.core.scores import Aggregating, Score
from noria.scorers import bleu, chrf
from noria.scorers.kind import Finding, signed

from .subjects import judged, scorer

WORDS = st.sampled_from(
    [
        "the",
        "cat,",
        "sat.",
        "on",
        '"mats"',
        "3.5",
        "1,000",
        "it's",
        "U.S.",
        "&amp;",
        "<skipped>",
        "x-\ny",
        "7-up",
        "(hi)",
        "猫",
        "!",
        "Don’t",
    ]
)
TEXTS = st.one_of(st.lists(WORDS, max_size=14).map(" ".join), st.text(max_size=40))
PAIRS = st.lists(st.tuples(TEXTS, st.lists(TEXTS, min_size=2, max_size=2)), min_size=1, max_size=6)
CLOSE = {"rel": 1e-9, "abs": 1e-9}


def _metric(kind, options):
    (metric,) = scorer(kind, **msgspec.to_builtins(options)).aggregates()
    return metric


def _score(counts):
    return signed(Finding(0.0, metadata={"statistics": counts}), "x", "1")


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3), st.sampled_from(["13a", "char", "none"]), st.booleans())
def test_sentence_bleu(answer, references, tokenize, lowercase):
    options = bleu.BleuOptions(tokenize=tokenize, lowercase=lowercase)
    counts = np.array(bleu.statistics(answer, references, options), dtype=float)
    found = bleu.bleu(counts, smooth="exp", smooth_value=None, sentence=True)
    reference = BLEU(effective_order=True, tokenize=tokenize, lowercase=lowercase)
    assert float(found) == pytest.approx(reference.sentence_score(answer, references).score, **CLOSE)


@given(
    PAIRS,
    st.sampled_from([("exp", None), ("floor", None), ("floor", 0.3), ("add-k", None), ("add-k", 2.0), ("none", None)]),
)
def test_corpus_bleu(pairs, smoothing):
    smooth, smooth_value = smoothing
    options = bleu.BleuOptions(smooth=smooth, smooth_value=smooth_value)
    metric = _metric("bleu", options)
    matrix = metric.statistics([_score(bleu.statistics(a, r, options)) for a, r in pairs], [])
    answers, references = [a for a, _ in pairs], [list(column) for column in zip(*(r for _, r in pairs), strict=True)]
    expected = BLEU(smooth_method=smooth, smooth_value=smooth_value).corpus_score(answers, references).score
    assert float(metric.value(matrix.sum(axis=0))) == pytest.approx(expected, **CLOSE)


@given(
    TEXTS,
    st.lists(TEXTS, min_size=1, max_size=3),
    st.sampled_from([(6, 0), (6, 2), (4, 1)]),
    st.booleans(),
    st.booleans(),
)
def test_sentence_chrf(answer, references, orders, whitespace, lowercase):
    characters, words = orders
    options = chrf.ChrfOptions(char_order=characters, word_order=words, whitespace=whitespace, lowercase=lowercase)
    counts = np.array(chrf.statistics(answer, references, options), dtype=float)
    reference = CHRF(characters, words, whitespace=whitespace, lowercase=lowercase)
    expected = reference.sentence_score(answer, references).score
    assert float(chrf.chrf(counts, beta=2)) == pytest.approx(expected, **CLOSE)


@given(PAIRS, st.sampled_from([0, 2]), st.sampled_from([1, 2, 3]))
def test_corpus_chrf(pairs, words, beta):
    options = chrf.ChrfOptions(word_order=words, beta=beta)
    metric = _metric("chrf", options)
    matrix = metric.statistics([_score(chrf.statistics(a, r, options)) for a, r in pairs], [])
    answers, references = [a for a, _ in pairs], [list(column) for column in zip(*(r for _, r in pairs), strict=True)]
    expected = CHRF(word_order=words, beta=beta).corpus_score(answers, references).score
    assert float(metric.value(matrix.sum(axis=0))) == pytest.approx(expected, **CLOSE)


@settings(max_examples=20)
@given(PAIRS, st.sampled_from(["bleu", "chrf"]))
def test_resampled_values_are_those_of_the_resampled_corpora(pairs, kind):
    module = {"bleu": bleu, "chrf": chrf}[kind]
    options = {"bleu": bleu.BleuOptions, "chrf": chrf.ChrfOptions}[kind]()
    metric = _metric(kind, options)
    matrix = metric.statistics([_score(module.statistics(a, r, options)) for a, r in pairs], [])
    weights = np.random.default_rng(1).multinomial(len(pairs), [1 / len(pairs)] * len(pairs), size=5).astype(float)
    together = metric.value(weights @ matrix)
    alone = [float(metric.value(np.repeat(matrix, row.astype(int), axis=0).sum(axis=0))) for row in weights]
    assert together.shape == (5,)
    assert list(together) == pytest.approx(alone)


@pytest.mark.parametrize(("kind", "name"), [("bleu", "corpus_bleu"), ("chrf", "corpus_chrf")])
async def test_scores_carry_what_the_run_metric_needs_even_through_json(kind, name):
    made = scorer(kind)
    assert isinstance(made, Aggregating)
    score = await judged(kind, "the cat sat on the mat", "the cat sat on a mat")
    stored = msgspec.json.decode(msgspec.json.encode(score), type=Score)
    (metric,) = made.aggregates()
    assert (metric.name, metric.better) == (name, "higher")
    matrix = metric.statistics([stored, stored], [Case(id="1", input={}), Case(id="1", input={})])
    assert float(metric.value(matrix.sum(axis=0))) == pytest.approx(score.value)
    with pytest.raises(InvalidInput, match="Score the run again"):
        metric.statistics([Score(scorer="x", version="0", value=1.0)], [])


async def test_a_known_sentence():
    answer, reference = "The dog bit the man.", "The dog had bit the man."
    expected = BLEU(effective_order=True).sentence_score(answer, [reference]).score
    score = await judged("bleu", answer, reference)
    assert score.value == pytest.approx(expected)
    assert score.reason == "6 tokens against 7; n-grams matched: 6/6, 4/5, 2/4, 1/3."
    assert (await judged("chrf", answer, answer)).value == pytest.approx(100)
