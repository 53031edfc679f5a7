"""What is known of every thousand spans without looking at them: when they started, and which words are in them.

A block is 1,024 numbers (``seq``) that follow one another. Its time range lets a question skip it; so do its words, kept
as a set of 32-bit hashes for each settled batch with one bit a block, and with the number of the span where only one says
it (36 bytes a span of 1.5 kB of text). A word that is said in a block is always found there; one that is not may rarely seem to be.
Whoever asks looks at the rows themselves.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
BLOCK = 1024
"""Numbers in a block; block ``n`` begins at ``n * BLOCK``."""
_NEVER = np.iinfo(np.int64).max


class Times:
    """Earliest and latest start of the spans in every block; it only ever widens."""

    def __init__(self) -> None:
        self.earliest = np.full(64, _NEVER, np.int64)
        self.latest = np.full(64, -1, np.int64)
        self.end = 0
        """Number of the block behind the last."""

    def add(self, seqs: Array, starts: Array) -> None:
        """Spans have come."""
        if not len(seqs):
            return
        places = seqs // BLOCK
        self.widen(places, starts, starts)

    def widen(self, blocks: Array, earliest: Array, latest: Array) -> None:
        """Blocks hold spans that started in between."""
        if not len(blocks):
            return
        end = int(blocks.max()) + 1
        if end > len(self.earliest):
            # New arrays, so that a question that looks at the old ones is not disturbed.
            room = max(end, 2 * len(self.earliest))
            self.earliest = _grown(self.earliest, room, _NEVER)
            self.latest = _grown(self.latest, room, -1)
        np.minimum.at(self.earliest, blocks, earliest)
        np.maximum.at(self.latest, blocks, latest)
        self.end = max(self.end, end)

    def first_from(self, block: int) -> int:
        """The earliest start of all spans from ``block`` on; one that never comes where there are none."""
        return int(self.earliest[block : self.end].min(initial=_NEVER))

    def newest_first(self, since: int | None, until: int | None) -> tuple[Array, Array]:
        """Blocks that may hold spans started in ``[since, until)``, by their latest start, newest first; and that start."""
        latest, earliest = self.latest[: self.end], self.earliest[: self.end]
        fits = latest >= (0 if since is None else since)
        if until is not None:
            fits &= earliest < until
        blocks = np.flatnonzero(fits)
        blocks = blocks[np.lexsort((-blocks, -latest[blocks]))]
        return blocks, latest[blocks]


def _grown(array: Array, room: int, value: int) -> Array:
    made = np.full(room, value, np.int64)
    made[: len(array)] = array
    return made


_SEVERAL = np.uint16(0xFFFF)
"""In the place of a row: more than one says the word."""


class Words(NamedTuple):
    """The words of spans that came one after another: at most 32 blocks."""

    first: int
    """Number of the first span."""
    end: int
    """Number behind the last."""
    hashes: Array
    """Sorted hashes of all words, uint32."""
    blocks: Array
    """For each, one bit for every block, the first block's lowest, uint32."""
    rows: Array
    """For each, the only span that says it, counted from where the first block begins; or 65,535, uint16."""


class Said(NamedTuple):
    """The texts of one block, lowered, JSON escapes in them blanked."""

    block: int
    """Its number."""
    text: bytes
    """All of them, one after another."""
    ends: Array
    """Where the text of each span ends."""
    numbers: Array
    """The spans' numbers."""


class Place(NamedTuple):
    """Where words may be."""

    block: int
    """The block."""
    number: int | None
    """The only span in it that can hold them; None where any may."""


def words_of(said: Iterable[Said], first: int, end: int) -> Words:
    """The words of blocks."""
    base = first // BLOCK * BLOCK
    parts = [_several(first, end)]
    for item in said:
        found, starts = hashes(item.text)
        rows = (item.numbers - base)[np.searchsorted(item.ends, starts, "right")]
        ordered = np.sort(found.astype(np.uint64) << np.uint64(16) | rows.astype(np.uint64))
        # ``numpy.unique`` hashes: eight times slower than sorting here.
        words, rows = (ordered >> np.uint64(16)).astype(np.uint32), ordered.astype(np.uint16)
        begins = np.concatenate([[True], words[1:] != words[:-1]])[: len(words)]
        at = np.flatnonzero(begins)
        last = np.append(at[1:], len(words))[: len(at)] - 1
        only = np.where(rows[at] == rows[last], rows[at], _SEVERAL)
        bits = np.full(len(at), 1 << (item.block - first // BLOCK), np.uint32)
        parts.append(Words(first, end, words[at], bits, only))
    return _united(parts, first, end)


def merged(some: Sequence[Words]) -> Words:
    """One of several that follow one another; together they span at most 32 blocks."""
    first = some[0].first
    return _united([_moved(words, words.first // BLOCK - first // BLOCK) for words in some], first, some[-1].end)


def _moved(words: Words, blocks: int) -> Words:
    rows = np.where(words.rows == _SEVERAL, _SEVERAL, words.rows + np.uint16(blocks * BLOCK))
    return words._replace(blocks=words.blocks << np.uint32(blocks), rows=rows)


def _several(first: int, end: int) -> Words:
    return Words(first, end, np.zeros(0, np.uint32), np.zeros(0, np.uint32), np.zeros(0, np.uint16))


def _united(parts: Sequence[Words], first: int, end: int) -> Words:
    found, bits, rows = (np.concatenate([part[index] for part in parts]) for index in (2, 3, 4))
    if not len(found):
        return _several(first, end)
    order = np.argsort(found, kind="stable")
    found, bits, rows = found[order], bits[order], rows[order]
    starts = np.flatnonzero(np.concatenate([[True], found[1:] != found[:-1]]))
    alone = np.diff(np.append(starts, len(found))) == 1
    return Words(
        first,
        end,
        found[starts],
        np.bitwise_or.reduceat(bits, starts).astype(np.uint32),
        np.where(alone, rows[starts], _SEVERAL),
    )


def holding(words: Words, wanted: Array) -> list[Place]:
    """Where all of the words with these hashes may be."""
    if not len(words.hashes):
        return []
    places = np.minimum(np.searchsorted(words.hashes, wanted), len(words.hashes) - 1)
    if (words.hashes[places] != wanted).any():
        return []
    bits = int(np.bitwise_and.reduce(words.blocks[places]))
    begin = words.first // BLOCK
    only = {int(row) for row in words.rows[places] if row != _SEVERAL}
    if not only:
        return [Place(begin + bit, None) for bit in range(32) if bits >> bit & 1]
    row = only.pop()
    if only or not bits >> row // BLOCK & 1:
        return []
    return [Place(begin + row // BLOCK, begin * BLOCK + row)]


# -- hashing all words of a text at once: a rolling hash over the bytes, and its differences at the words' ends

_BASE = 0x9E3779B97F4A7C15
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_WINDOW = 1 << 17
"""Bytes that are hashed together: what is made of them stays in the cache."""
_LONGEST = 64
"""Of longer words only so many bytes count."""
_LEAD = 0xC0
"""First byte of a letter that is not ASCII."""


class _Tables(NamedTuple):
    words: Array
    """Whether a byte is a lowered ASCII letter or a digit."""
    sizes: Array
    """Bytes of the character that begins with a byte."""
    up: Array
    """Powers of the base, modulo 2^64."""
    down: Array
    """Powers of its inverse."""


@functools.cache
def _tables() -> _Tables:
    words, sizes = np.zeros(256, bool), np.ones(256, np.int64)
    words[[*range(ord("0"), ord("9") + 1), *range(ord("a"), ord("z") + 1)]] = True
    sizes[0xC0:], sizes[0xE0:], sizes[0xF0:] = 2, 3, 4
    powers = []
    for base in (_BASE, pow(_BASE, -1, 1 << 64)):
        factors = np.full(_WINDOW + _LONGEST + 2, base, np.uint64)
        factors[0] = 1
        powers.append(np.cumprod(factors, dtype=np.uint64))
    return _Tables(words, sizes, *powers)


def hashes(text: bytes) -> tuple[Array, Array]:
    """Hashes of all words of a lowered text, and where each begins; in no order, repeated as they are.

    What a word is says :mod:`noria.stores.traces.words`.
    """
    found, where = [np.zeros(0, np.uint32)], [np.zeros(0, np.int64)]
    for at in range(0, len(text), _WINDOW):
        # One byte before, to see whether a word begins; some behind, so that the last ones are whole.
        before = min(at, 1)
        data = np.frombuffer(text[at - before : at + _WINDOW + _LONGEST], np.uint8)
        some, starts = _hashes(data, before, before + _WINDOW)
        found.append(some)
        where.append(starts + (at - before))
    return np.concatenate(found), np.concatenate(where)


def _hashes(data: Array, first: int, end: int) -> tuple[Array, Array]:
    tables = _tables()
    inside = np.concatenate([[False], tables.words[data], [False]])
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    letters = np.flatnonzero(data >= _LEAD)
    starts = np.concatenate([edges[::2], letters])
    ends = np.concatenate([np.minimum(edges[1::2], edges[::2] + _LONGEST), letters + tables.sizes[data[letters]]])
    mine = (starts >= first) & (starts < end)
    starts, ends = starts[mine], np.minimum(ends[mine], len(data))
    sums = np.zeros(len(data) + 1, np.uint64)
    np.cumsum((data.astype(np.uint64) + np.uint64(1)) * tables.up[: len(data)], out=sums[1:])
    found = (sums[ends] - sums[starts]) * tables.down[starts]
    found ^= found >> np.uint64(32)
    found *= _MIX
    return (found >> np.uint64(32)).astype(np.uint32), starts
