"""A checked question as DuckDB SQL. Every value and every JSON key is a bound parameter; names come from the schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from noria.core.cursors import Position
from noria.core.questions import Aggregate
from noria.stores.traces.plan import BUCKET, QUANTILES, Condition, Plan, ScoreCondition, Sort
from noria.stores.traces.schema import TIME, Column, Source
from noria.stores.traces.words import Phrase, pattern

PLACE: dict[Source, tuple[str, ...]] = {
    "spans": ("start_ns", "trace_id", "span_id"),
    "scores": ("time_ns", "trace_id", "span_id", "scorer"),
}
"""The columns of a :class:`~noria.core.cursors.Place`."""
_NUMERIC_TYPES = "('BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE')"
NUMBER_OF_JSON = (
    "CASE WHEN json_type({0}) IN " + _NUMERIC_TYPES + " THEN TRY_CAST(json_extract_string({0}) AS DOUBLE)"
    " WHEN json_type({0}) = 'BOOLEAN' THEN CAST(json_extract_string({0}) = 'true' AS DOUBLE) END"
)
"""The number that a JSON value is (true is 1); null for texts, lists and objects. ``{0}``: document, path."""
_COMPUTED = {"failed": "(status = 'error')", "model": "coalesce(request_model, response_model)"}
"""Columns that are read off others."""
_SAID = (
    "list_concat("
    + ", ".join(
        [
            "[name, coalesce(tool_name, ''), coalesce(error_message, '')]",
            *(
                f"json_extract_string({column}, '$[*].{path}')"
                for column in ("input", "output")
                for path in (
                    "content[*].text",
                    "content[*].preview",
                    "reasoning",
                    "refusal",
                    "tool_calls[*].name",
                    "tool_calls[*].arguments",
                )
            ),
            *(
                f"list_transform(list_filter(json_extract({column}, '$[*].content'), lambda item:"
                " json_type(item) = 'VARCHAR'), lambda item: json_extract_string(item, '$'))"
                for column in ("input", "output")
            ),
            "json_extract_string(documents, '$[*].text')",
        ]
    )
    + ")"
)
"""A list of the texts of a span, see :func:`noria.stores.traces.words.texts`."""
_LOOKED_AT = ("input", "output", "documents", "name", "coalesce(tool_name, '')", "coalesce(error_message, '')")
"""The columns that they are in."""


class Sql(NamedTuple):
    """A statement with its parameters."""

    text: str
    parameters: list[Any]


def compile_rows(plan: Plan, names: tuple[str, ...] | None = None, *, first: tuple[str, ...] = ()) -> Sql:
    """The statement that answers an ungrouped question: the plan's columns, or the stored columns ``names``.

    For a plan that pages, the columns of the row's place come after the plan's own, and one row more than asked for.
    Before all of them come the stored columns ``first``.
    """
    made = _Writer(plan)
    wanted = ", ".join([*(f'"{name}"' for name in first), *made.row(names)])
    if names is None and plan.pages and plan.question.limit:
        made.plan = plan._replace(question=msgspec.structs.replace(plan.question, limit=plan.question.limit + 1))
    place = [f'"{name}"' for name in PLACE[plan.question.source]]
    direction = "DESC" if plan.newest_first else "ASC"
    ties = [f"{name} {direction}" for name in (*place, "seq")]
    order = ", ".join([*(made.sort_rows(item) for item in plan.order), *ties])
    return made.statement(f"SELECT {wanted}", f"ORDER BY {order}")


def compile_every(plan: Plan, names: tuple[str, ...] | None = None) -> Sql:
    """The statement for every row there is, in no order: its ``seq``, then what :func:`compile_rows` gives."""
    made = _Writer(plan)
    return Sql(f"SELECT seq, {', '.join(made.row(names))} FROM {plan.question.source}", made.parameters)  # noqa: S608 - from the schema


def compile_groups(plan: Plan) -> Sql:
    """The statement that answers a grouped question: groups, then measures."""
    made = _Writer(plan)
    columns = [*(made.output(item) for item in plan.columns), *(made.measure(*item) for item in plan.measures)]
    wanted = ", ".join(f"{expression} AS c{index}" for index, expression in enumerate(columns))
    places = [f"c{index}" for index in range(len(plan.columns))]
    order = [made.sort_groups(item) for item in plan.order]
    order += [made.sort_groups(Sort(index, None, False)) for index in range(len(plan.columns))]
    tail = f"GROUP BY {', '.join(places)}" if places else ""
    if order:
        tail += f" ORDER BY {', '.join(order)}"
    return made.statement(f"SELECT {wanted}", tail)


def compile_measured(plan: Plan, measures: Sequence[str], having: str = "true") -> Sql:
    """The statement for the groups of a grouped question, in no order, each with the ``measures``, which are SQL.

    With an empty ``having`` they are columns, and there is a row for each row.
    """
    made = _Writer(plan._replace(question=msgspec.structs.replace(plan.question, limit=None, offset=0)))
    columns = [made.output(item) for item in plan.columns]
    places = [f"c{index}" for index in range(len(columns))]
    wanted = ", ".join([*(f"{item} AS {place}" for item, place in zip(columns, places, strict=True)), *measures])
    return made.statement(
        f"SELECT {wanted}", f"GROUP BY {', '.join(places)} HAVING {having}" if places and having else ""
    )


def compile_matches(plan: Plan, head: str) -> Sql:
    """A statement that begins with ``head`` and goes over everything that an ungrouped question's conditions fit."""
    unlimited = plan._replace(question=msgspec.structs.replace(plan.question, limit=None, offset=0))
    return _Writer(unlimited).statement(head, "")


def pointer(key: str) -> str:
    """The JSON pointer (RFC 6901) to ``key``: unlike a path it can name every key there is."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


class _Writer:
    """Writes one statement; keeps its parameters."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.parameters: list[Any] = []

    def bind(self, value: Any) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    def statement(self, head: str, tail: str) -> Sql:
        question = self.plan.question
        time = TIME[question.source]
        conditions = [self.condition(item) for item in self.plan.where]
        if question.since_ns is not None:
            conditions.append(f"{time} >= {self.bind(_bigint(question.since_ns))}")
        if question.until_ns is not None:
            conditions.append(f"{time} < {self.bind(_bigint(question.until_ns))}")
        conditions += [self.judged(item) for item in self.plan.scored]
        conditions += [self.said(phrase) for phrase in self.plan.text]
        skipped = question.offset
        if self.plan.after is not None:
            conditions.append(self.behind(self.plan.after))
            skipped += self.plan.after.seen if question.source == "scores" else 0
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        limit = f" LIMIT {self.bind(min(question.limit, 2**63 - 1))}" if question.limit is not None else ""
        offset = f" OFFSET {self.bind(skipped)}" if skipped else ""
        # Everything spliced in below is a name from the schema, a keyword, or a parameter's number.
        return Sql(f"{head} FROM {question.source}{where} {tail}{limit}{offset}", self.parameters)

    # -- columns

    def row(self, names: tuple[str, ...] | None) -> list[str]:
        """The columns of an ungrouped answer, see :func:`compile_rows`."""
        place = PLACE[self.plan.question.source] if self.plan.pages else ()
        if names is None:
            return [*(self.output(item) for item in self.plan.columns), *(f'"{name}"' for name in place)]
        return [f'"{name}"' for name in names]

    def output(self, item: Column) -> str:
        """The column as it leaves: JSON as text, which the caller decodes."""
        if item.key is not None:
            return f"nullif(CAST(json_extract({self._document(item)}) AS VARCHAR), 'null')"
        if item is BUCKET:
            width = self.bind(self.plan.bucket_ns)
            return f"{TIME[self.plan.question.source]} // {width} * {width}"
        if item.name in _COMPUTED:
            return _COMPUTED[item.name]
        if item.name in ("date", "hour"):
            moment = f"make_timestamp({TIME[self.plan.question.source]} // 1000)"
            return f"strftime({moment}, '{'%Y-%m-%d' if item.name == 'date' else '%Y-%m-%dT%H:00:00Z'}')"
        return f'"{item.name}"'

    def number(self, item: Column) -> str:
        """The column as a number; null where it is none."""
        if item.kind == "bool":
            return f"CAST({self.output(item)} AS INTEGER)"
        if item.kind != "any":
            return self.output(item)
        if item.key is None:
            return "value_number"
        return NUMBER_OF_JSON.format(self._document(item))

    def text(self, item: Column) -> str:
        """The column as a text; null where it is none."""
        if item.kind != "any":
            return self.output(item)
        document = self._document(item)
        return f"CASE WHEN json_type({document}) = 'VARCHAR' THEN json_extract_string({document}) END"

    def _document(self, item: Column) -> str:
        """The two arguments of a JSON function: document and path."""
        return f'"{item.field}", {self.bind(pointer(item.key)) if item.key is not None else self.bind("$")}'

    # -- conditions

    def condition(self, item: Condition) -> str:
        column, op = item.column, item.op
        if op in ("is null", "is not null"):
            return f"{self.output(column)} {op.upper()}"
        if op in ("in", "not in"):
            return self._member(item)
        [value] = item.values
        if op == "contains":
            return self._contains(column, value)
        subject = self.text(column) if isinstance(value, str) else self.number_or_bool(column)
        if op == "!=":
            return f"{subject} IS DISTINCT FROM {self.bind(value)}"
        if op == "=" and column.name == "trace_id" and self.plan.question.source == "scores":
            place = self.bind(value)
            return f"(trace_key = md5_number_lower({place}) AND trace_id = {place})"
        return f"{subject} {op} {self.bind(value)}"

    def number_or_bool(self, column: Column) -> str:
        return self.output(column) if column.kind == "bool" else self.number(column)

    def _member(self, item: Condition) -> str:
        texts = [value for value in item.values if isinstance(value, str)]
        others = [value for value in item.values if not isinstance(value, str)]
        parts = [f"{self.output(item.column)} IS NULL"] if item.null else []
        if texts:
            places = [self.bind(value) for value in texts]
            among = f"{self.text(item.column)} IN ({', '.join(places)})"
            if item.op == "in" and item.column.name == "trace_id" and self.plan.question.source == "scores":
                keys = ", ".join(f"md5_number_lower({place})" for place in places)
                among = f"(trace_key IN ({keys}) AND {among})"
            parts.append(among)
        if others:
            parts.append(f"{self.number_or_bool(item.column)} IN ({', '.join(map(self.bind, others))})")
        found = f"coalesce({' OR '.join(parts) or 'false'}, false)"
        return found if item.op == "in" else f"NOT {found}"

    def _contains(self, column: Column, value: str) -> str:
        if column.kind != "json":
            return f"contains({self.text(column)}, {self.bind(value)})"
        # Texts inside JSON are escaped; so is what is looked for, by the same library, its quotes taken off.
        escaped = f"(CAST(to_json(CAST({self.bind(value)} AS VARCHAR)) AS VARCHAR))[2:-2]"
        return f"contains({self.output(column)}, {escaped})"

    def judged(self, item: ScoreCondition) -> str:
        """A condition on the scores of a span."""
        mine = [f"scorer = {self.bind(item.scorer)}"]
        if item.source is not None:
            mine.append(f"source = {self.bind(item.source)}")
        if item.test is not None:
            mine.append(self.condition(item.test))
        found = f"SELECT (trace_id, span_id) FROM scores WHERE {' AND '.join(mine)}"  # noqa: S608 - parameters
        return f"(trace_id, span_id) {'NOT ' if item.absent else ''}IN ({found})"

    def said(self, phrase: Phrase) -> str:
        """That words are in the texts of a span."""
        # Rows that hold the words nowhere, JSON or not, are put aside first: that takes a hundredth of the time.
        near = [
            "(" + " OR ".join(f"contains(lower({column}), {place})" for column in _LOOKED_AT) + ")"
            for place in (self.bind(word) for word in phrase if word.isascii())
        ]
        place = self.bind(pattern(phrase))
        exactly = f"len(list_filter({_SAID}, lambda said: regexp_matches(lower(said), {place}))) > 0"
        return " AND ".join([*near, exactly])

    def behind(self, after: Position) -> str:
        """Only rows behind a position; for scores the place itself too, as it may hold more than one."""
        source = self.plan.question.source
        names = PLACE[source]
        sign = ("<" if self.plan.newest_first else ">") + ("=" if source == "scores" else "")
        values = ", ".join(self.bind(value) for value in after.place[: len(names)])
        return f"({', '.join(names)}) {sign} ({values})"

    # -- measures and order

    def measure(self, item: Aggregate, column: Column | None) -> str:
        if column is None:
            return "count(*)"
        if item.measure == "count":
            return f"count({self.output(column)})"
        if item.measure == "distinct":
            return f"count(DISTINCT {self.output(column)})"
        number = self.number(column)
        if item.measure in QUANTILES:
            return f"quantile_cont(CAST({number} AS DOUBLE), {QUANTILES[item.measure]})"
        return f"{'avg' if item.measure == 'mean' else item.measure}({number})"

    def sort_rows(self, item: Sort) -> str:
        direction = "DESC" if item.descending else "ASC"
        column = item.column or self.plan.columns[item.place]
        if column.kind != "any":
            return f"{self.output(column)} {direction} NULLS LAST"
        return f"{self.number(column)} {direction} NULLS LAST, {self.text(column)} {direction} NULLS LAST"

    def sort_groups(self, item: Sort) -> str:
        place, direction = f"c{item.place}", "DESC" if item.descending else "ASC"
        columns = self.plan.columns
        if item.place < len(columns) and columns[item.place].kind in ("json", "any"):
            return f"TRY_CAST({place} AS DOUBLE) {direction} NULLS LAST, {place} {direction} NULLS LAST"
        return f"{place} {direction} NULLS LAST"


def _bigint(value: int) -> int:
    return max(-(2**63), min(value, 2**63 - 1))
