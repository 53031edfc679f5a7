"""From which similarity on two questions are one: chosen on labelled pairs, and measured on others."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import numpy as np

from noria.core.caching import AtThreshold, Calibration, Pair, calibration_id
from noria.core.errors import InvalidInput
from noria.targets.alike import unit_vector

AT_ONCE = 8
"""Embeddings under way at the same time."""
ALPHA = 0.05
"""The upper bound is exceeded with this probability."""
_ROWS = 12


Embed = Callable[[str, str], Awaitable[Sequence[float]]]
"""The vector of a text: model, text."""


async def calibrate(pairs: Sequence[Pair], embed: Embed, *, embedder: str, most_false: float) -> Calibration:
    """Choose the lowest threshold whose false-hit rate is allowed, with its bound, on half of the pairs; measure on the rest.

    The false-hit rate is the share of pairs with different answers that would be taken for one question. It says nothing
    about how often callers ask such pairs: pairs that are as alike as those that callers ask are the caller's to bring.

    Raises:
        InvalidInput: there are too few pairs of either kind, or the model gives a vector that has no direction.
        CallFailed: the model gives none.
    """
    halves = (_half(pairs, 0), _half(pairs, 1))
    for half in halves:
        if not any(pair.same for pair in half) or all(pair.same for pair in half):
            raise InvalidInput(
                "There are too few pairs: both kinds are needed, with the same answer and with different ones.",
                hint="A few hundred of each make a useful bound.",
            )
    vectors = await _vectors({text for pair in pairs for text in (pair.a, pair.b)}, embed, embedder)
    chosen_on, measured_on = (
        ([_cosine(vectors, p) for p in half if p.same], [_cosine(vectors, p) for p in half if not p.same])
        for half in halves
    )
    threshold = _lowest(*chosen_on, most_false)
    same, different = measured_on
    table = tuple(_at(t, same, different) for t in _spread([*same, *different]))
    found = Calibration(embedder=embedder, most_false=most_false, same=len(same), different=len(different), table=table)
    if threshold is None:
        needed = math.ceil(math.log(ALPHA) / math.log1p(-most_false))
        said = (
            f"No threshold keeps false hits below {most_false:.2%}. With {len(chosen_on[1])} pairs of different answers to"
            f" choose on, the bound is at best {upper_bound(0, len(chosen_on[1])):.2%}; {needed} without a false hit would do."
        )
        return msgspec.structs.replace(found, said=said)
    measured = _at(threshold, same, different)
    held = measured.upper <= most_false
    said = (
        f"At {threshold:.4f}, {measured.hit_rate:.1%} of equal questions are hits, and {measured.false_hit_rate:.2%} of different"
        f" ones ({measured.false_hits} of {len(different)}; at most {measured.upper:.2%} with 95 % confidence), measured on pairs"
        " that did not choose it."
    )
    if not held:
        said += f" That is not surely below {most_false:.2%}: bring more pairs."
    return msgspec.structs.replace(
        found,
        threshold=threshold,
        measured=measured,
        id=calibration_id(embedder, threshold) if held else "",
        said=said,
    )


def upper_bound(count: int, of: int, alpha: float = ALPHA) -> float:
    """Upper bound of a proportion, one-sided, exact: Clopper and Pearson, Biometrika 26 (1934).

    The proportion under which so few or fewer are seen with probability ``alpha``.
    """
    if count >= of:
        return 1.0
    low, high = count / of, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(count, of, middle) > alpha else (low, middle)
    return high


def _at_most(count: int, of: int, p: float) -> float:
    """Probability of at most ``count`` of ``of``, each with probability ``p``."""
    if p <= 0.0 or p >= 1.0:
        return 1.0 if p <= 0.0 or count >= of else 0.0
    ways = math.lgamma(of + 1)
    logs = [
        ways - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * math.log(p) + (of - k) * math.log1p(-p)
        for k in range(count + 1)
    ]
    return math.fsum(map(math.exp, logs))


def _half(pairs: Sequence[Pair], number: int) -> list[Pair]:
    """Half of the pairs, by their content: the same pairs fall the same way, whatever their order."""
    return [pair for pair in pairs if hashlib.sha256(f"{pair.a}\0{pair.b}".encode()).digest()[0] % 2 == number]


async def _vectors(texts: set[str], embed: Embed, embedder: str) -> dict[str, np.ndarray]:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(text: str) -> tuple[str, np.ndarray]:
        async with room:
            unit = unit_vector(await embed(embedder, text.strip()))
        if unit is None:
            raise InvalidInput(f"{embedder} gives a vector without a direction for {text[:60]!r}.")
        return text, np.frombuffer(unit, dtype="<f4")

    return dict(await asyncio.gather(*(one(text) for text in sorted(texts))))


def _cosine(vectors: dict[str, np.ndarray], pair: Pair) -> float:
    return float(vectors[pair.a] @ vectors[pair.b])


def _lowest(same: list[float], different: list[float], most_false: float) -> float | None:
    """The lowest threshold that is allowed; every pair's cosine is tried, rounded up to four digits."""
    found = None
    for cosine in sorted({*same, *different}, reverse=True):
        threshold = math.ceil(cosine * 10_000) / 10_000
        if _at(threshold, same, different).upper > most_false:
            break
        found = threshold
    return None if found is None else min(found, 1.0)


def _at(threshold: float, same: list[float], different: list[float]) -> AtThreshold:
    hits = sum(cosine >= threshold for cosine in same)
    false_hits = sum(cosine >= threshold for cosine in different)
    return AtThreshold(
        threshold=threshold,
        hits=hits,
        hit_rate=hits / len(same),
        false_hits=false_hits,
        false_hit_rate=false_hits / len(different),
        upper=upper_bound(false_hits, len(different)),
    )


def _spread(cosines: list[float]) -> list[float]:
    """Thresholds for the table: evenly from the least alike to 1."""
    low = math.floor(min(cosines) * 100) / 100
    step = max((1.0 - low) / (_ROWS - 1), 0.005)
    return [round(min(1.0, low + step * number), 4) for number in range(_ROWS) if low + step * number <= 1.0 + 1e-9]
