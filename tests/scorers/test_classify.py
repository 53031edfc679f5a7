import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from noria.core.errors import InvalidInput
from noria.core.scores import Aggregating, Classifying, Score

from .subjects import judged, scorer, value

LABELS = ("positive", "negative", "neutral")
OTHER = "(other)"


def _scores(pairs):
    return [Score(scorer="s", version="1", value=p, metadata={"actual": a, "correct": p == a}) for p, a in pairs]


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("positive", "positive"),
        (" **Positive.** ", "positive"),
        ("It is negative, not positive.", "negative"),
        ("This sounds positively great", OTHER),
        ("nonnegative", OTHER),
        ("I can't say", OTHER),
        ("", OTHER),
    ],
)
async def test_predictions(answer, label):
    assert await value("classify", answer, "positive", labels=LABELS) == label


async def test_which_mention_counts():
    answer = "negative? No: positive"
    assert await value("classify", answer, "positive", labels=LABELS, mention="last") == "positive"
    assert await value("classify", answer, "positive", labels=LABELS, mention="none") == OTHER
    assert await value("classify", "Positive", "positive", labels=LABELS, ignore_case=False) == OTHER


async def test_of_names_that_begin_at_one_place_the_longest_is_meant():
    assert await value("classify", "it is very bad", "bad", labels=["very", "very bad", "bad"]) == "very bad"


async def test_labels_made_of_signs():
    assert await value("classify", "C++", "C++", labels=["C", "C++", "C#"]) == "C++"
    assert await value("classify", "I'd say C# here", "C", labels=["C", "C++", "C#"]) == "C#"


async def test_aliases_serve_answers_and_references():
    options = {"labels": ["yes", "no"], "aliases": {"yes": ["true"], "no": ["false"]}}
    score = await judged("classify", "True.", True, **options)
    assert (score.value, score.metadata) == ("yes", {"correct": True, "actual": "yes"})
    wrong = await judged("classify", "no", "TRUE", **options)
    assert (wrong.value, wrong.metadata["correct"], wrong.reason) == ("no", False, "The answer says no, not yes.")


async def test_a_reference_that_is_no_label_is_an_error_and_none_abstains():
    with pytest.raises(InvalidInput, match="none of the labels"):
        await judged("classify", "positive", "great", labels=LABELS)
    assert await judged("classify", "positive", labels=LABELS) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": ["a"]}, "length >= 2"),
        ({"labels": ["a", "A"]}, "names two labels"),
        ({"labels": ["a", "b"], "aliases": {"a": ["b"]}}, "names two labels"),
        ({"labels": ["a", "b"], "aliases": {"c": ["d"]}}, "not among the labels"),
        ({"labels": ["a", OTHER]}, "kept for other answers"),
    ],
)
def test_labels_that_do_not_fit_are_refused(options, message):
    with pytest.raises(InvalidInput, match=message):
        scorer("classify", **options)


@given(st.lists(st.tuples(st.sampled_from([*LABELS, OTHER]), st.sampled_from(LABELS)), min_size=1, max_size=40))
def test_the_table_equals_scikit_learns(pairs):
    made = scorer("classify", labels=LABELS)
    assert isinstance(made, Classifying)
    table = made.classification(_scores(pairs))
    predicted, actual = [p for p, _ in pairs], [a for _, a in pairs]
    there = [label for label in LABELS if label in predicted or label in actual]
    assert table.accuracy == pytest.approx(accuracy_score(actual, predicted))
    expected = f1_score(actual, predicted, labels=there, average="macro", zero_division=0)
    assert table.macro_f1 == pytest.approx(expected)
    assert table.labels == ((*LABELS, OTHER) if OTHER in predicted else LABELS)
    assert np.array_equal(table.confusion, confusion_matrix(actual, predicted, labels=table.labels))
    columns = precision_recall_fscore_support(actual, predicted, labels=LABELS, zero_division=np.nan)
    for row, p, r, f, n in zip(table.classes, *columns, strict=True):
        known = [row.precision, row.recall, row.f1 if row.label in there else None]
        wanted = [p, r, f if row.label in there else np.nan]
        assert [np.nan if x is None else x for x in known] == pytest.approx(wanted, nan_ok=True)
        assert row.support == n


def test_run_metrics_agree_with_the_table_and_name_classes_when_asked():
    pairs = [("positive", "positive"), ("positive", "negative"), ("negative", "negative"), (OTHER, "neutral")]
    made = scorer("classify", labels=LABELS, per_class=True)
    assert isinstance(made, Aggregating)
    found = {m.name: float(m.value(m.statistics(_scores(pairs), []).sum(axis=0))) for m in made.aggregates()}
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx(made.classification(_scores(pairs)).macro_f1)
    assert found["precision.positive"] == 0.5
    assert found["recall.positive"] == 1
    assert found["f1.negative"] == pytest.approx(2 / 3)
    assert np.isnan(found["precision.neutral"])
    assert len(found) == 2 + 3 * 3
    assert [m.name for m in scorer("classify", labels=LABELS).aggregates()] == ["accuracy", "macro_f1"]


def test_scores_of_other_labels_and_no_scores_are_refused():
    made = scorer("classify", labels=LABELS)
    with pytest.raises(InvalidInput, match="other labels"):
        made.classification(_scores([("good", "positive")]))
    with pytest.raises(InvalidInput, match="judged nothing"):
        made.classification([])


def test_two_thousand_resamples_of_a_thousand_cases_are_quick():
    rng = np.random.default_rng(1)
    scores = _scores([(LABELS[p], LABELS[a]) for p, a in rng.integers(0, 3, size=(1000, 2))])
    metric = scorer("classify", labels=LABELS).aggregates()[1]
    weights = rng.multinomial(1000, [1 / 1000] * 1000, size=2000).astype(float)
    started = time.perf_counter()
    values = metric.value(weights @ metric.statistics(scores, []))
    assert time.perf_counter() - started < 1
    assert values.shape == (2000,)
    assert values.std() == pytest.approx(0.015, abs=0.003)  # sqrt(1/3 x 2/3 / 1000)
