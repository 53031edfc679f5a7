"""What the embedded store remembers beside its file: it may send a question to too many places, never to too few."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from noria.stores.traces.embedded.blocks import BLOCK, Said, Words, hashes, holding, merged, words_of
from noria.stores.traces.embedded.keys import merged as merged_runs
from noria.stores.traces.embedded.keys import numbers_in, run_of
from noria.stores.traces.embedded.sketches import LOG_BASE, ONE, percentiles

WORDS = ["ab", "cd", "ef", "gh", "ij", "kl"]
texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join), min_size=1, max_size=12)


def indexed(said: dict[int, str], first: int, end: int) -> Words:
    blocks: dict[int, list[int]] = {}
    for number in sorted(said):
        if first <= number < end:
            blocks.setdefault(number // BLOCK, []).append(number)
    parts = []
    for block, numbers in blocks.items():
        encoded = [said[number].encode() for number in numbers]
        ends = np.cumsum([len(text) + 1 for text in encoded])
        parts.append(Said(block, b"\n".join(encoded), ends, np.array(numbers)))
    return words_of(parts, first, end)


@given(texts, st.integers(1, 3 * BLOCK), st.integers(1, 900), st.lists(st.integers(1, 11), max_size=3))
def test_words_are_found_wherever_they_are_said(said: list[str], first: int, apart: int, cuts: list[int]) -> None:
    rows = {first + apart * index: text for index, text in enumerate(said)}
    end = max(rows) + 1
    bounds = sorted({first, end, *(first + apart * cut for cut in cuts if first + apart * cut < end)})
    pieces = [indexed(rows, low, high) for low, high in itertools.pairwise(bounds)]
    whole = merged(pieces)
    assert (whole.first, whole.end) == (first, end)
    for one in WORDS:
        for other in WORDS:
            wanted = np.unique(np.concatenate([hashes(word.encode())[0] for word in (one, other)]))
            places = holding(whole, wanted)
            for number, text in rows.items():
                if {one, other} <= set(text.split()):
                    assert any(place.block == number // BLOCK and place.number in (None, number) for place in places)
        [hit] = hashes(one.encode())[0]
        sayers = [number for number, text in rows.items() if one in text.split()]
        if len(sayers) == 1:  # a word that one span alone says is looked for there alone
            assert [place.number for place in holding(whole, np.array([hit]))] == sayers


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=40), st.sets(st.integers(0, 6)))
def test_numbers_of_traces(ids: list[tuple[int, int]], asked: set[int]) -> None:
    middle = len(ids) // 2
    runs = []
    for low, high in ((0, middle), (middle, len(ids))):
        traces, spans = (np.array([item[part] for item in ids[low:high]], np.uint64) for part in (0, 1))
        runs.append(run_of(traces, spans, np.arange(low + 1, high + 1), low + 1, high + 1))
    found = set(numbers_in(merged_runs(runs), np.array(sorted(asked), np.uint64)).tolist())
    latest = {item: number for number, item in enumerate(ids, 1)}
    assert found == {number for (trace, _), number in latest.items() if trace in asked}


@given(
    st.lists(st.lists(st.floats(1e-6, 1e6) | st.just(0.0), min_size=1, max_size=30), min_size=1, max_size=6),
    st.lists(st.integers(0, 3), min_size=6, max_size=6),
)
def test_percentiles_of_merged_sketches_are_within_one_per_cent(parts: list[list[float]], owners: list[int]) -> None:
    sketches = []
    for values in parts:
        bucket = [0 if value == 0 else ONE + int(np.ceil(np.log(value) / LOG_BASE)) for value in values]
        sketches.append(np.unique(bucket, return_counts=True))
    cells = np.array(owners[: len(parts)])
    buckets, counts = (np.empty(len(parts), object) for _ in range(2))
    for index, (bucket, count) in enumerate(sketches):
        buckets[index], counts[index] = bucket.astype(np.int16), count.astype(np.int32)
    found = percentiles(cells, buckets, counts, 4, [0.0, 0.5, 0.95, 1.0])
    for cell in range(4):
        values = [value for part, owner in zip(parts, owners, strict=False) if owner == cell for value in part]
        if not values:
            assert np.isnan(found[cell]).all()
        else:
            exact = np.quantile(values, [0.0, 0.5, 0.95, 1.0])
            assert np.allclose(found[cell], exact, rtol=0.0101, atol=1e-12)
