"""Cursors: where an answer ended, as an opaque text that goes on from there (keyset paging).

Rows in order of time have one total order in every store: time, trace id, span id, for scores the scorer too. A cursor
is the place of a row in it, so it outlives restarts, new rows and a move to another store; nothing repeats, nothing is
skipped. It belongs to the conditions, text and order of its question; the time range, the limit and the columns may change.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput
from noria.core.questions import Question
from noria.core.scores import Score
from noria.core.spans import Span

TIME: dict[Literal["spans", "scores"], str] = {"spans": "start_ns", "scores": "time_ns"}
"""What ``since_ns`` and ``until_ns`` bound."""
_MARK = 8
"""Bytes of a digest that tell one question from another."""
_Packed = tuple[bytes, int, str, str, str, int]
"""The question's mark, a place, and how many rows of it have been seen."""


class Place(NamedTuple):
    """A row's place in the order by time."""

    time_ns: int
    """Its time."""
    trace_id: str
    """Its trace."""
    span_id: str
    """Its span."""
    scorer: str = ""
    """Of a score: the scorer's name."""


class Position(NamedTuple):
    """Where to go on."""

    place: Place
    """The last row seen."""
    seen: int = 1
    """How many rows of exactly this place have been seen: the same score may be there twice."""


def place_of(record: Span | Score) -> Place:
    """The place of a record."""
    if isinstance(record, Span):
        return Place(record.start_ns, record.trace_id, record.span_id)
    return Place(record.time_ns, record.trace_id, record.span_id, record.scorer)


def descends(question: Question) -> bool | None:
    """Whether an answer runs from new to old; None where it is in no order of time, and so can't be continued."""
    if question.group_by or question.measures:
        return None
    match question.order:
        case ():
            return True
        case (only,) if only.column == TIME[question.source]:
            return only.descending
    return None


def cursor_behind(question: Question, places: Sequence[Place]) -> str:
    """The cursor behind the rows at ``places``, the answer to ``question``: not empty, in its order."""
    last = places[-1]
    seen = next((count for count, place in enumerate(reversed(places)) if place != last), len(places))
    before = position(question)
    if before is not None and seen == len(places) and before.place == last:
        seen += before.seen
    packed = msgspec.msgpack.encode((_mark(question), *last, seen))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def position(question: Question) -> Position | None:
    """Where ``question`` is to go on; None at the start.

    Raises:
        InvalidInput: the cursor is none, or of another question.
    """
    if question.after is None:
        return None
    try:
        packed = base64.b64decode(question.after + "=" * (-len(question.after) % 4), altchars=b"-_", validate=True)
        mark, time_ns, trace_id, span_id, scorer, seen = msgspec.msgpack.decode(packed, type=_Packed)
    except (*UNREADABLE, ValueError) as error:
        raise InvalidInput("The cursor is damaged.", hint="Use it exactly as it came, or begin again.") from error
    if mark != _mark(question):
        raise InvalidInput(
            "The cursor belongs to another question.",
            hint="Keep conditions, text and order as they were, or begin again without a cursor.",
        )
    found = Place(time_ns, trace_id, span_id, scorer)
    if not (0 <= found.time_ns < 2**63 and 0 < seen < 2**63):
        raise InvalidInput("The cursor is damaged.", hint="Use it exactly as it came, or begin again.")
    return Position(found, seen)


def _mark(question: Question) -> bytes:
    parts: Iterable[object] = (question.source, question.where, question.scored, question.text, descends(question))
    return hashlib.sha256(msgspec.json.encode(parts)).digest()[:_MARK]
