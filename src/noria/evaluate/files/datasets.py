"""Cases out of data files, and data sets as bytes.

Two kinds of file are read. In Noria's own shape every row is ``{"id", "input", "reference", "context", "cluster",
"metadata"}``, only ``input`` being required. Any other file has columns, and a :class:`Source` says what each is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from noria.core.datasets import Case, case_id
from noria.core.errors import InvalidInput
from noria.core.struct import Noun
from noria.evaluate.files.rows import Format, Problem, Row, format_of, read_rows


class Source(Noun):
    """A data file and what its columns are for."""

    path: str
    """The file: JSONL, CSV or Parquet; relative to the file that names it."""
    format: Format | None = None
    """``jsonl``, ``csv`` or ``parquet``; by default what the file's name ends in."""
    input: dict[str, str] | None = None
    """Prompt variable to column. Left out, the rows have Noria's own shape: ``id, input, reference, context, cluster,
    metadata``."""
    reference: str | None = None
    """Column with the expected answer."""
    id: str | None = None
    """Column with an id, unique in the file; left out, cases get ids from their content."""
    context: str | None = None
    """Column with the passage, or list of passages, that the answer should rest on."""
    cluster: str | None = None
    """Column that says which cases belong together (one document, one conversation)."""
    metadata: tuple[str, ...] | None = None
    """Columns to keep beside the case; left out, all that have no other use."""
    on_error: Literal["stop", "skip"] = "stop"
    """What a malformed row does: ``stop`` refuses the file, ``skip`` reports it and goes on with the rest."""
    limit: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Try only the first so many cases."""


class Loaded(Noun):
    """What a file held."""

    cases: list[Case]
    """The cases, in the file's order."""
    problems: tuple[Problem, ...] = ()
    """Rows that were skipped, in the file's order."""


class _OwnRow(msgspec.Struct, forbid_unknown_fields=True):
    """A row in Noria's own shape."""

    input: dict[str, Any]
    id: str | int | None = None
    reference: Any = None
    context: str | list[str] | None = None
    cluster: str | int | None = None
    metadata: dict[str, Any] | None = None


def read(source: Source, folder: Path | None = None) -> Loaded:
    """Read a data file. ``folder`` is where a relative path starts; by default the working directory.

    Ids are taken from the file or made from the content; the second of two equal rows without an id gets ``-2`` after
    its own. ``source.limit`` is not applied here: the data set is the whole file, an experiment may try a part of it.

    Raises:
        InvalidInput: the file cannot be read, has no rows, lacks a column, or has a malformed row or the same id
            twice and ``on_error`` is ``stop``. The sentence names the file, the line and the column.
    """
    path = (folder or Path()) / Path(source.path).expanduser()
    cases: list[Case] = []
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    for row, case in _cases(source, path):
        problem = case if isinstance(case, Problem) else _id_taken(case, row, lines)
        if problem is None and isinstance(case, Case):
            lines[case.id] = row.line
            cases.append(case)
        elif problem is not None:
            if source.on_error == "stop":
                hint = "Correct it, or set dataset.on_error: skip to go on without such rows."
                raise InvalidInput(problem.message, kept="Nothing was read.", hint=hint)
            problems.append(problem)
    if not cases:
        why = f"none of its {len(problems)} rows can be used; the first: {problems[0].message}" if problems else ""
        raise InvalidInput(f"{path} has no cases: {why or 'the file is empty.'}")
    return Loaded(cases=cases, problems=tuple(problems))


def encode_cases(cases: Sequence[Case]) -> bytes:
    """A data set as a blob: one JSON object a line, in Noria's own shape."""
    return msgspec.json.Encoder().encode_lines(cases)


def decode_cases(data: bytes) -> list[Case]:
    """The cases of a blob that :func:`encode_cases` made."""
    return msgspec.json.Decoder(Case).decode_lines(data)


def _cases(source: Source, path: Path) -> Iterator[tuple[Row, Case | Problem]]:
    """Each row with the case it makes, or with what is wrong with it."""
    build = _from_own if source.input is None else _from_columns
    if source.input is None:
        _refuse_mapping(source)
    seen: dict[str, int] = {}
    for row in read_rows(path, source.format or format_of(path)):
        if isinstance(row, Problem):
            yield Row(row.line, "", {}), row
            continue
        try:
            case = build(source, row)
        except InvalidInput as error:
            yield row, Problem(line=row.line, message=f"{row.place}: {error}")
            continue
        if not case.id:
            made = case_id(case.input, case.reference)
            seen[made] = count = seen.get(made, 0) + 1
            case = msgspec.structs.replace(case, id=made if count == 1 else f"{made}-{count}")
        yield row, case


def _id_taken(case: Case, row: Row, lines: dict[str, int]) -> Problem | None:
    if case.id not in lines:
        return None
    return Problem(line=row.line, message=f'{row.place}: the id "{case.id}" was used before, in line {lines[case.id]}.')


def _refuse_mapping(source: Source) -> None:
    """A file in Noria's own shape needs no columns named; naming some would silently do nothing."""
    named = [
        name for name in ("reference", "id", "context", "cluster", "metadata") if getattr(source, name) is not None
    ]
    if named:
        raise InvalidInput(
            f"dataset.{named[0]} names a column, but dataset.input does not say which columns are the input.",
            hint="Add dataset.input: {variable: column}, or leave out both for rows in Noria's own shape.",
        )


def _from_own(_: Source, row: Row) -> Case:
    try:
        own = msgspec.convert(row.values, _OwnRow)
    except msgspec.ValidationError as error:
        hint = "A file in another shape needs dataset.input: {variable: column}."
        raise InvalidInput(f"{error}; the row has {_names(row.values)}.", hint=hint) from error
    return Case(
        id=_text(own.id, "id"),
        input=own.input,
        reference=own.reference,
        context=_passages(own.context),
        cluster=_text(own.cluster, "cluster") or None,
        metadata=own.metadata or {},
    )


def _from_columns(source: Source, row: Row) -> Case:
    values = row.values
    inputs = source.input or {}
    used = {*inputs.values(), source.reference, source.id, source.context, source.cluster}
    kept = source.metadata if source.metadata is not None else [name for name in values if name not in used]
    for column in (*inputs.values(), source.reference, source.id, source.context, source.cluster, *kept):
        if column is not None and column not in values:
            raise _no_column(column, values)
    found_id = "" if source.id is None else _text(values[source.id], source.id)
    if source.id is not None and not found_id:
        raise InvalidInput(f'the id column "{source.id}" is empty.')
    return Case(
        id=found_id,
        input={variable: values[column] for variable, column in inputs.items()},
        reference=None if source.reference is None else values[source.reference],
        context=() if source.context is None else _passages(values[source.context]),
        cluster=None if source.cluster is None else _text(values[source.cluster], source.cluster) or None,
        metadata={name: values[name] for name in kept},
    )


def _no_column(column: str, values: dict[str, Any]) -> InvalidInput:
    near = get_close_matches(column, values, n=1)
    hint = f'Did you mean "{near[0]}"?' if near else ""
    return InvalidInput(f'no column "{column}"; there are {_names(values)}.', hint=hint)


def _names(values: dict[str, Any]) -> str:
    return ", ".join(f'"{name}"' for name in values) or "no columns"


def _text(value: Any, column: str) -> str:
    """An id or cluster as text: whole numbers are common in files."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InvalidInput(f'"{column}" must be text or a whole number, not {value!r}.')


def _passages(value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise InvalidInput("the context must be text or a list of texts.")
