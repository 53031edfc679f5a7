"""What is remembered of how fast a model begins to answer."""

from __future__ import annotations

import math

import pytest

from noria.targets.load import Load


class Held:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def answered(load: Load, clock: Held, ttft_s: float) -> None:
    watch = load.starts()
    clock.now += ttft_s
    watch.speaks()
    watch.ends("answered")


def test_a_slower_answer_counts_at_once_and_a_faster_one_by_and_by() -> None:
    clock = Held()
    load = Load(clock)
    answered(load, clock, 0.1)
    assert load.ttft_s == pytest.approx(0.1)
    answered(load, clock, 2.0)
    assert load.ttft_s == pytest.approx(2.0)
    answered(load, clock, 0.1)
    assert 1.9 < load.ttft_s < 2.0


def test_what_was_measured_fades() -> None:
    clock = Held()
    load = Load(clock)
    answered(load, clock, 2.0)
    clock.now += 10
    assert load.ttft_s == pytest.approx(2 / math.e)


def test_calls_under_way_are_waited_for() -> None:
    clock = Held()
    load = Load(clock)
    assert load.expected_s == 0
    watch = load.starts()
    assert load.expected_s == math.inf  # not measured yet, and not to be flooded meanwhile
    clock.now += 0.5
    watch.speaks()
    assert (load.outstanding, load.expected_s) == (1, pytest.approx(1.0))
    watch.ends("failed")
    assert (load.outstanding, load.expected_s) == (0, pytest.approx(0.5))
