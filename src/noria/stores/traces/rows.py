"""Records to JSON lines and back.

A record travels to the database as the JSON of its struct: one C-speed encode when it is appended, no Python at all
when it is taken (the database reads the lines itself), and numbers of any size stay exact.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from noria.core.errors import InvalidInput
from noria.core.messages import Message
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Document, Span, SpanEvent
from noria.stores.traces.schema import LINEAGE, STORED, Source

_LARGEST = 2**63 - 1
_INTEGERS: dict[Source, tuple[str, ...]] = {
    "spans": (
        "start_ns",
        "end_ns",
        "input_tokens",
        "output_tokens",
        "cached_tokens",
        "reasoning_tokens",
        "lineage.repeat",
    ),
    "scores": ("time_ns", "repeat"),
}
_INTEGERS_OF = {source: attrgetter(*names) for source, names in _INTEGERS.items()}
_TYPES: dict[str, Any] = {
    "input": tuple[Message, ...],
    "output": tuple[Message, ...],
    "finish_reasons": tuple[str, ...],
    "documents": tuple[Document, ...],
    "events": tuple[SpanEvent, ...],
    "params": dict[str, Any],
    "variables": dict[str, Any],
    "attributes": dict[str, Any],
    "metadata": dict[str, Any],
    "value": bool | int | float | str,
}

_COUNTED = msgspec.msgpack.Decoder(tuple[msgspec.Raw, msgspec.Raw, int])

LONG_TEXT = 64
"""An attribute whose text has more characters is content: ``strip`` removes it."""


class Lines(NamedTuple):
    """Records of one append, as they are kept in the spool."""

    spans: bytes
    """One JSON object a line."""
    scores: bytes
    """One JSON object a line."""
    records: int
    """How many, in both."""
    origin: tuple[str, int, int] | None = None
    """The spool that they were moved from: its name, and the segment and offset of their frame's end there."""


def pack(spans: Sequence[Span], scores: Sequence[Score]) -> bytes:
    """One spool payload.

    Raises:
        InvalidInput: a record can't be kept as it is (a number that is not finite or too big for its column, half a
            surrogate pair, a value that JSON has no form for). Nothing of the append is kept then.
    """
    lines = (
        b"".join([line("spans", span) for span in spans]),
        b"".join([line("scores", score) for score in scores]),
        len(spans) + len(scores),
    )
    return msgspec.msgpack.encode(lines)


def moved(payload: bytes, origin: tuple[str, int, int]) -> bytes:
    """A payload of :func:`pack` with its origin: the msgpack array of three becomes one of four, nothing is decoded."""
    return b"\x94" + payload[1:] + msgspec.msgpack.encode(origin)


def count_in(payload: bytes) -> int:
    """How many records are in a payload of :func:`pack`."""
    return _COUNTED.decode(payload)[2]


def unpack(payload: bytes) -> Lines:
    """The inverse of :func:`pack`, up to the lines."""
    return msgspec.msgpack.decode(payload, type=Lines)


def line(source: Source, record: Span | Score, shape: Callable[[Any], Any] | None = None) -> bytes:
    """A record as a line of JSON, in a ``shape`` of the store's own. Raises ``InvalidInput`` as :func:`pack` does."""
    for at, value in enumerate(_INTEGERS_OF[source](record)):
        if value is not None and not 0 <= value <= _LARGEST:
            name = _INTEGERS[source][at].removeprefix("lineage.")
            raise InvalidInput(f"{name} of a record in {source} is {value}; it must be from 0 to 2^63 - 1.")
    try:
        made = msgspec.json.encode(record if shape is None else shape(record))
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{_name(record)} holds half a surrogate pair, which is no text: {error}.") from error
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInput(f"{_name(record)} holds a value that JSON has no form for: {error}.") from error
    # The encoder writes numbers that are not finite as null. Nulls are rare here (defaults are left out), so only
    # lines that hold one pay for the slow look.
    if b"null" in made:
        for path, number in _not_finite(msgspec.structs.asdict(record), ""):
            raise InvalidInput(f"{_name(record)} holds {number} in {path}; only finite numbers can be kept.")
    return made + b"\n"


def _not_finite(value: Any, path: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, float):
        if not math.isfinite(value):
            yield path, value
    elif isinstance(value, msgspec.Struct):
        yield from _not_finite(msgspec.structs.asdict(value), path)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _not_finite(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple | set | frozenset):
        for index, item in enumerate(value):
            yield from _not_finite(item, f"{path}[{index}]")


def _name(record: Span | Score) -> str:
    if isinstance(record, Span):
        return f"Span {record.span_id!r}"
    return f"A score by {record.scorer!r}"


@functools.cache
def _decoder(name: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_TYPES.get(name, Any))


def without_texts(attributes: str) -> str:
    """Attributes, as JSON, without those that :meth:`~noria.core.protocols.TraceStore.strip` removes."""
    if len(attributes) <= LONG_TEXT:
        return attributes
    kept = {
        key: value
        for key, value in msgspec.json.decode(attributes).items()
        if not isinstance(value, str) or len(value) <= LONG_TEXT
    }
    return msgspec.json.encode(kept).decode()


def stripped(span: Span) -> Span:
    """A span without what :meth:`~noria.core.protocols.TraceStore.strip` removes."""
    attributes = {
        key: value for key, value in span.attributes.items() if not isinstance(value, str) or len(value) <= LONG_TEXT
    }
    return msgspec.structs.replace(
        span, input=(), output=(), variables={}, documents=(), events=(), error_message=None, attributes=attributes
    )


def span_of(row: Sequence[Any]) -> Span:
    """The span of a row with all stored columns in order; JSON columns as text."""
    values = _values("spans", row)
    lineage = Lineage(**{name: values.pop(name) for name in LINEAGE})
    return Span(**values, lineage=lineage)


def score_of(row: Sequence[Any]) -> Score:
    """The score of a row with all stored columns in order; JSON columns as text."""
    return Score(**_values("scores", row))


def _values(source: Source, row: Sequence[Any]) -> dict[str, Any]:
    return {
        name: _decoder(name).decode(value) if kind in ("json", "any") else value
        for (name, kind), value in zip(STORED[source].items(), row, strict=True)
    }
