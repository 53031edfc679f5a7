"""Noria's own file format: one row a span, in JSON lines and in Parquet with the same columns.

Lineage fields are columns of their own; ``scores`` holds the judgements on the span. In JSON lines lists and objects
are JSON, in Parquet they are JSON text. Knows nothing about files.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from noria.bridges.files.records import Records
from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Span

Kind = Literal["text", "integer", "number", "boolean", "json"]

_KINDS: dict[Any, Kind] = {str: "text", int: "integer", float: "number", bool: "boolean"}


def _fields() -> dict[str, msgspec.structs.FieldInfo]:
    """Every column but ``scores``, in order."""
    found: dict[str, msgspec.structs.FieldInfo] = {}
    for field in msgspec.structs.fields(Span):
        inner = msgspec.structs.fields(Lineage) if field.type is Lineage else (field,)
        found.update((one.name, one) for one in inner)
    return found


def _kind(type_: Any) -> Kind:
    inner = [one for one in typing.get_args(type_) if one is not type(None)]
    if typing.get_origin(type_) is Literal:
        return "text"
    if type(None) in typing.get_args(type_) and len(inner) == 1:
        return _kind(inner[0])
    return _KINDS.get(type_, "json")


COLUMNS: dict[str, Kind] = {name: _kind(field.type) for name, field in _fields().items()} | {"scores": "json"}
"""Column -> what it holds, in order."""
_LINEAGE = Lineage.__struct_fields__
_OWN = tuple(name for name in Span.__struct_fields__ if name != "lineage")


@functools.cache
def _row_type() -> type[msgspec.Struct]:
    """A struct with one field a column, which checks rows on their way in."""
    fields: list[Any] = []
    for name, field in _fields().items():
        if field.required:
            fields.append((name, field.type))
        elif field.default_factory is not msgspec.NODEFAULT:
            fields.append((name, field.type, msgspec.field(default_factory=field.default_factory)))
        else:
            fields.append((name, field.type, field.default))
    fields.append(("scores", tuple[Score, ...], ()))
    return msgspec.defstruct("Row", fields, kw_only=True, forbid_unknown_fields=True)


def encode_line(span: Span, scores: Sequence[Score] = ()) -> bytes:
    """A span with its scores as one line of JSON, all columns named."""
    values = {name: getattr(span, name) for name in _OWN} | {name: getattr(span.lineage, name) for name in _LINEAGE}
    ordered = {name: values[name] for name in COLUMNS if name != "scores"}
    return msgspec.json.encode(ordered | {"scores": scores}) + b"\n"


def is_row(values: Mapping[str, Any]) -> bool:
    """Whether it looks like a row of this format: its ids and its start are named as here."""
    return {"trace_id", "span_id", "start_ns", "end_ns", "name"} <= set(values)


def read_row(values: Mapping[str, Any]) -> Records:
    """The span and the scores of one row, with lists and objects as JSON or as JSON text.

    Raises:
        InvalidInput: it does not fit the columns.
    """
    given = dict(values)
    for name, kind in COLUMNS.items():
        if kind == "json" and isinstance(given.get(name), str):
            given[name] = _decoded(name, given[name])
    try:
        row = msgspec.convert(given, _row_type())
    except (msgspec.ValidationError, RecursionError) as error:
        raise InvalidInput(f"it does not fit Noria's columns: {error}") from error
    found: dict[str, Any] = msgspec.structs.asdict(row)
    scores = found.pop("scores")
    lineage = Lineage(**{name: found.pop(name) for name in _LINEAGE})
    span = Span(**found, lineage=lineage)
    return Records((span,), tuple(_tied(score, span) for score in scores))


def _decoded(name: str, text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except UNREADABLE as error:
        raise InvalidInput(f"its column {name} is no JSON: {error}") from error


def _tied(score: Score, span: Span) -> Score:
    """A score that does not say what it is about is about the span that it stands with."""
    if score.trace_id:
        return score
    return msgspec.structs.replace(score, trace_id=span.trace_id, span_id=span.span_id)
