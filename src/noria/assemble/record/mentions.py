"""Which blobs the record mentions, and how to read many spans without holding them all."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

import msgspec

from noria.core.cursors import cursor_behind, place_of
from noria.core.protocols import TraceStore
from noria.core.questions import Filter, Order, Question
from noria.core.scores import Score
from noria.core.spans import Span

PAGE = 500
"""Records read at a time."""
Record = TypeVar("Record", Span, Score)
_PLACES = (
    "name", "error_message", "input", "output", "params", "variables", "documents", "events", "attributes",
)  # fmt: skip
"""Columns in which a large content may have become a reference."""
_PLACES_OF_SCORES = ("reason", "metadata")
_DIGEST = re.compile(rb"[0-9a-f]{64}")


def digests(records: Iterable[Span | Score]) -> set[str]:
    """Everything in these records that could be a blob's name.

    A reference is a part of a message, a value of an attribute, or words within a text. Whoever looks for the 64 hex
    digits alone may keep a blob for nothing, and never deletes one that is needed.
    """
    return {match.decode() for one in records for match in _DIGEST.findall(msgspec.json.encode(one))}


async def pages(store: TraceStore, question: Question) -> AsyncIterator[list[Span]]:
    """All spans that match an ungrouped question, oldest first, some hundred at a time."""
    async for found in _pages(store.spans, msgspec.structs.replace(question, order=(Order(column="start_ns"),))):
        yield found


async def score_pages(store: TraceStore, question: Question) -> AsyncIterator[list[Score]]:
    """The same for scores."""
    async for found in _pages(store.scores, msgspec.structs.replace(question, order=(Order(column="time_ns"),))):
        yield found


async def _pages(
    read: Callable[[Question], Awaitable[list[Record]]], question: Question
) -> AsyncIterator[list[Record]]:
    asked = msgspec.structs.replace(question, limit=PAGE)
    while True:
        found = await read(asked)
        if found:
            yield found
        if len(found) < PAGE:
            return
        asked = msgspec.structs.replace(asked, after=cursor_behind(asked, [place_of(one) for one in found]))


async def mentioned(store: TraceStore) -> set[str]:
    """Every blob that a span or a score mentions, and some digests that are no blobs.

    The store searches its columns for the word that all references have; only the records that hold it are read.
    """
    found: set[str] = set()
    for column in _PLACES:
        question = Question(where=(Filter(column=column, op="contains", value="blob"),))
        async for spans in pages(store, question):
            found |= digests(spans)
    for column in _PLACES_OF_SCORES:
        question = Question(source="scores", where=(Filter(column=column, op="contains", value="blob"),))
        async for scores in score_pages(store, question):
            found |= digests(scores)
    return found
