"""Records to the JSON lines that ClickHouse reads (its format ``JSONEachRow``), and what it adds to them.

Lists travel as JSON and are kept as its text. Objects whose keys can be asked for become maps from a key to the JSON of
its value, both as the one encoder wrote them: numbers of any size stay exact, and no key is ever a path.
"""

from __future__ import annotations

from typing import Any

import msgspec

from noria.core.scores import Score
from noria.core.spans import Span
from noria.stores.traces.rows import line
from noria.stores.traces.schema import KEYED, LINEAGE, STORED

_encode = msgspec.json.encode
_SPAN_PLAIN = tuple(name for name in STORED["spans"] if name not in (*LINEAGE, *KEYED["spans"]))
_SCORE_PLAIN = tuple(name for name in STORED["scores"] if name not in (*KEYED["scores"], "value"))


def span_line(span: Span) -> bytes:
    """A span as a line. Raises ``InvalidInput`` where it can't be kept exactly."""
    return line("spans", span, _span_row)


def score_line(score: Score) -> bytes:
    """A score as a line. Raises ``InvalidInput`` where it can't be kept exactly."""
    return line("scores", score, _score_row)


def stamped(made: bytes, **numbers: int) -> bytes:
    """A line with further columns, once it is known when it goes."""
    return b"{" + b"".join(b'"%s":%d,' % (name.encode(), value) for name, value in numbers.items()) + made[1:]


def _span_row(span: Span) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name in _SPAN_PLAIN:
        value = getattr(span, name)
        if value is not None and value != ():
            row[name] = value
    lineage = span.lineage
    for name in LINEAGE:
        value = getattr(lineage, name)
        if value is not None:
            row[name] = value
    for name in KEYED["spans"]:
        if value := getattr(span, name):
            row[name] = keyed(value)
    return row


def _score_row(score: Score) -> dict[str, Any]:
    row: dict[str, Any] = {"value": encoded(score.value)}
    for name in _SCORE_PLAIN:
        value = getattr(score, name)
        if value is not None:
            row[name] = value
    if score.metadata:
        row["metadata"] = keyed(score.metadata)
    return row


def keyed(values: dict[str, Any]) -> dict[str, str]:
    """An object as its map: keys and values as they stand in JSON, the keys without their quotes."""
    return {map_key(key): _encode(value).decode() for key, value in values.items()}


def encoded(value: Any) -> str:
    """A value as it stands in JSON."""
    return _encode(value).decode()


def map_key(key: str) -> str:
    """A key as it stands in the map."""
    return _encode(key)[1:-1].decode()
