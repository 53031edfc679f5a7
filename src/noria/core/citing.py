"""Where citations count: in a message each in its own part of the text, in a stream in the whole text of its choice.

A stream's citations may come when all is said, so they can't count in a part. A message's have to, so that a part can be
taken for itself and stay at its place among tool calls.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

import msgspec

from noria.core.messages import Citation, Message, TextPart


def moved(citation: Citation, by: int) -> Citation:
    """The same claim in a text that has ``by`` further characters in front of it."""
    if not by or (citation.start is None and citation.end is None):
        return citation
    return msgspec.structs.replace(
        citation,
        start=None if citation.start is None else max(0, citation.start + by),
        end=None if citation.end is None else max(0, citation.end + by),
    )


def together(message: Message) -> tuple[Citation, ...]:
    """All that a message rests on, counted in the whole of its text."""
    found: list[Citation] = []
    before = 0
    for part in () if isinstance(message.content, str) else message.content:
        if isinstance(part, TextPart):
            found += (moved(citation, before) for citation in part.citations)
            before += len(part.text)
    return tuple(found)


def apart(texts: Sequence[str], citations: Iterable[tuple[Citation, int]]) -> list[tuple[Citation, ...]]:
    """The reverse: what each text rests on, counted in it.

    Arguments:
        texts: in order, none of them empty.
        citations: each with how many of the texts had begun when it came. One that does not say where it belongs is
            taken to belong to the last of those; any other belongs to the text that its claim begins in.
    """
    begins = list(accumulate(map(len, texts), initial=0))
    found: list[list[Citation]] = [[] for _ in texts]
    for citation, begun in citations:
        place = max(begun, 1) - 1 if citation.start is None else place_of(citation.start, begins[:-1])
        claim = moved(citation, -begins[place])
        if place < len(texts) - 1 and claim.end is not None:
            claim = msgspec.structs.replace(claim, end=min(claim.end, len(texts[place])))
        found[place].append(claim)
    return [tuple(each) for each in found]


def place_of(start: int, begins: Sequence[int]) -> int:
    """Which of the texts that begin at so many characters the place ``start`` in the whole belongs to."""
    return max(bisect_right(begins, start), 1) - 1
