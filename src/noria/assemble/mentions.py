"""Which blobs the record mentions, and how to read many spans without holding them all."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable

import msgspec

from noria.core.cursors import cursor_behind, place_of
from noria.core.protocols import TraceStore
from noria.core.questions import Filter, Order, Question
from noria.core.spans import Span

PAGE = 500
"""Spans read at a time."""
_PLACES = (
    "name", "error_message", "input", "output", "params", "variables", "documents", "events", "attributes",
)  # fmt: skip
"""Columns in which a large content may have become a reference."""
_DIGEST = re.compile(rb"[0-9a-f]{64}")


def digests(spans: Iterable[Span]) -> set[str]:
    """Everything in these spans that could be a blob's name.

    A reference is a part of a message, a value of an attribute, or words within a text. Whoever looks for the 64 hex
    digits alone may keep a blob for nothing, and never deletes one that is needed.
    """
    return {match.decode() for span in spans for match in _DIGEST.findall(msgspec.json.encode(span))}


async def pages(store: TraceStore, question: Question) -> AsyncIterator[list[Span]]:
    """All spans that match an ungrouped question, oldest first, some hundred at a time."""
    asked = msgspec.structs.replace(question, order=(Order(column="start_ns"),), limit=PAGE)
    while True:
        found = await store.spans(asked)
        if found:
            yield found
        if len(found) < PAGE:
            return
        asked = msgspec.structs.replace(asked, after=cursor_behind(asked, [place_of(span) for span in found]))


async def mentioned(store: TraceStore) -> set[str]:
    """Every blob that a span mentions, and some digests that are no blobs.

    The store searches its columns for the word that all references have; only the spans that hold it are read.
    """
    found: set[str] = set()
    for column in _PLACES:
        question = Question(where=(Filter(column=column, op="contains", value="blob"),))
        async for spans in pages(store, question):
            found |= digests(spans)
    return found
