"""Equality with Google's rouge-score and NLTK's stemmer."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer

from noria.scorers import lcs
from noria.scorers.porter import stem
from noria.scorers.rouge import rouge

from .subjects import judged, value

FORMS = ["rouge1", "rouge2", "rouge3", "rouge4", "rougeL", "rougeLsum"]
WORDS = st.sampled_from(
    [
        "the",
        "a",
        "cat",
        "cats",
        "sat",
        "running",
        "Runs,",
        "élan",
        "generalization",
        "3.14",
        "hopping\n",
        "agreed",
        "skies",
    ]
)
TEXTS = st.one_of(st.lists(WORDS, max_size=30).map(" ".join), st.text(max_size=60))
SUFFIXES = st.sampled_from(
    [
        "s",
        "es",
        "ies",
        "ed",
        "eed",
        "ied",
        "ing",
        "ational",
        "tional",
        "enci",
        "anci",
        "izer",
        "bli",
        "alli",
        "entli",
        "eli",
        "ousli",
        "ization",
        "ation",
        "ator",
        "alism",
        "iveness",
        "fulness",
        "ousness",
        "aliti",
        "iviti",
        "biliti",
        "fulli",
        "logi",
        "icate",
        "ative",
        "alize",
        "iciti",
        "ical",
        "ful",
        "ness",
        "al",
        "ance",
        "ence",
        "er",
        "ic",
        "able",
        "ible",
        "ant",
        "ement",
        "ment",
        "ent",
        "ion",
        "sion",
        "tion",
        "ou",
        "ism",
        "ate",
        "iti",
        "ous",
        "ive",
        "ize",
        "e",
        "ll",
        "y",
    ]
)
REFERENCES = {flag: RougeScorer(FORMS, use_stemmer=flag) for flag in (False, True)}
NLTK = PorterStemmer()


@given(TEXTS, TEXTS, st.booleans())
def test_equal_to_rouge_score(answer, reference, stemmer):
    expected = REFERENCES[stemmer].score(reference, answer)
    for form in FORMS:
        found = rouge(answer, reference, form=form, stemmer=stemmer)
        assert found == pytest.approx(tuple(expected[form]), abs=1e-12), form


@given(st.text("aeiouybcdlstzx", max_size=8), SUFFIXES, SUFFIXES)
def test_stems_equal_nltk(root, first, second):
    for word in (root + first, root + second + first, root):
        assert stem(word) == NLTK.stem(word)


@pytest.mark.parametrize(
    "word",
    ["skies", "dying", "news", "innings", "proceed", "sky", "by", "died", "spied", "flies", "enjoy", "geologi", "y"],
)
def test_irregular_words_equal_nltk(word):
    assert stem(word) == NLTK.stem(word)


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_the_subsequence_is_one_and_as_long_as_its_length_says(ours, theirs):
    found = [ours[place] for place in sorted(lcs.places(ours, theirs))]
    rest = iter(theirs)
    assert all(token in rest for token in found)
    assert len(found) == lcs.length(ours, theirs) == lcs.length(theirs, ours)


async def test_the_best_reference_counts():
    score = await judged("rouge", "the cat sat", ["a dog ran", "the cat sat down"], form="rouge1")
    assert score.metadata == pytest.approx({"precision": 1.0, "recall": 0.75, "f1": 6 / 7})
    assert await value("rouge", "the cat sat", "the cat sat down", measure="recall") == 0.75
    assert await value("rouge", "the cat sat", "the cat sat down", measure="precision") == 1
    assert await value("rouge", "", "x") == 0
    assert await value("rouge", "x") is None


def test_long_texts_do_not_stall_the_caller():
    rng = random.Random(1)
    ours, theirs = (" ".join(rng.choices("abcdefgh", k=4_000)) for _ in range(2))
    started = time.perf_counter()
    assert 0.5 < rouge(ours, theirs).f1 < 0.9
    assert time.perf_counter() - started < 2  # a table of 16 million cells would take longer
