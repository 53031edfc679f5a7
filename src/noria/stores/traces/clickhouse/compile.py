"""A checked question as ClickHouse SQL. Names come from the schema, values are literals without their own characters.

``FINAL`` gives each span once, its latest copy. What comes before it may only look at what copies have in common: their
ids and their start.
"""

from __future__ import annotations

from noria.core.cursors import Position
from noria.core.questions import Aggregate, Question
from noria.stores.traces.clickhouse import texts
from noria.stores.traces.clickhouse.lines import encoded, map_key
from noria.stores.traces.clickhouse.literals import number, scalar, text
from noria.stores.traces.clickhouse.values import json_of_map, number_of_json, text_of_json
from noria.stores.traces.plan import BUCKET, QUANTILES, Condition, Plan, ScoreCondition, Sort
from noria.stores.traces.schema import KEYED, TIME, Column, Source

_PLACE: dict[Source, tuple[str, ...]] = {
    "spans": ("start_ns", "trace_id", "span_id"),
    "scores": ("time_ns", "trace_id", "span_id", "scorer"),
}
"""Columns of :class:`noria.core.cursors.Place`."""
_OVER_SCORES = Question(source="scores")


def compile_rows(plan: Plan, names: tuple[str, ...] | None = None, *, since_ns: int | None = None) -> str:
    """The statement that answers an ungrouped question: the plan's columns, or the stored columns ``names``.

    Then the columns of the row's place. With ``since_ns`` only rows from there on, whatever the question says.
    """
    source = plan.question.source
    wanted = [output(item, plan) for item in (plan.columns if names is None else [stored(source, n) for n in names])]
    where = conditions(plan)
    if since_ns is not None:
        where.append(f"start_ns >= {since_ns}")
    limit, offset = plan.question.limit, plan.question.offset
    if plan.after is not None and source == "scores":
        offset = plan.after.seen
    tail = f" ORDER BY {_row_order(plan)}" + _cut(None if limit is None else limit + 1, offset)
    return f"SELECT {', '.join([*wanted, *_PLACE[source]])} FROM {_from(source)}{_where(where)}{tail}"  # noqa: S608


def compile_horizon(plan: Plan, need: int) -> str:
    """The start of the ``need``-th newest copy that fits: rows before it are not among the newest ``need`` *copies*."""
    where = ["NOT gone", *conditions(plan)]
    return f"SELECT start_ns FROM spans{_where(where)} ORDER BY start_ns DESC LIMIT 1 OFFSET {need - 1}"  # noqa: S608


def compile_groups(plan: Plan) -> str:
    """The statement that answers a grouped question: groups, then measures."""
    columns = [*(output(item, plan) for item in plan.columns), *(_measure(plan, *item) for item in plan.measures)]
    wanted = ", ".join(f"{expression} AS c{index}" for index, expression in enumerate(columns))
    places = [f"c{index}" for index in range(len(plan.columns))]
    order = [_group_order(plan, item) for item in plan.order]
    order += [_group_order(plan, Sort(index, None, False)) for index in range(len(plan.columns))]
    tail = f" GROUP BY {', '.join(places)}" if places else ""
    tail += f" ORDER BY {', '.join(order)}" if order else ""
    tail += _cut(plan.question.limit, plan.question.offset)
    return f"SELECT {wanted} FROM {_from(plan.question.source)}{_where(conditions(plan))}{tail}"  # noqa: S608


def compile_choice(plan: Plan, wanted: str, *further: str) -> str:
    """The statement that selects ``wanted`` of all spans that fit, and that hold the ``further`` conditions."""
    return f"SELECT {wanted} FROM {_from('spans')}{_where([*conditions(plan), *further])}"  # noqa: S608


def conditions(plan: Plan) -> list[str]:
    """All that must hold of a row."""
    question = plan.question
    time = TIME[question.source]
    made = [part for item in plan.where for part in _condition(plan, item)]
    if question.since_ns is not None:
        made.append(f"{time} >= {number(_int64(question.since_ns))}")
    if question.until_ns is not None:
        made.append(f"{time} < {number(_int64(question.until_ns))}")
    made += [_scored(plan, item) for item in plan.scored]
    if plan.text:
        made += texts.finds(plan.text)
    if plan.after is not None:
        made += _after(plan, plan.after)
    return made


def stored(source: Source, name: str) -> Column:
    """A stored column as it is: maps as JSON."""
    return Column(name, "json" if name in KEYED[source] else "text")


# -- columns


def output(item: Column, plan: Plan) -> str:
    """The column as it leaves: JSON as text, which the caller decodes."""
    time = TIME[plan.question.source]
    if item is BUCKET:
        return f"intDiv({time}, {plan.bucket_ns}) * {plan.bucket_ns}"
    if item.key is not None:
        return f"nullIf(nullIf({_raw(item)}, ''), 'null')"
    if item.name in ("date", "hour"):
        form = "%Y-%m-%d" if item.name == "date" else "%Y-%m-%dT%H:00:00Z"
        return f"formatDateTime(fromUnixTimestamp64Nano({time}, 'UTC'), '{form}')"
    if item.name in _DERIVED:
        return _DERIVED[item.name]
    if item.name in KEYED[plan.question.source]:
        return json_of_map(f"`{item.name}`")
    return f"`{item.name}`"


_COUNTS = {"count": "count", "distinct": "uniqExact"}
_DERIVED = {"failed": "(status = 'error')", "model": "coalesce(request_model, response_model)"}


def _raw(item: Column) -> str:
    """The JSON of an ``any`` column; empty where there is none."""
    if item.key is None:
        return f"`{item.name}`"
    return f"`{item.field}`[{text(map_key(item.key))}]"


def _number(item: Column, plan: Plan) -> str:
    """The column as a number; null where it is none."""
    if item.kind == "bool":
        return f"toInt64({output(item, plan)})"
    if item.kind != "any":
        return output(item, plan)
    return "value_number" if item.key is None else number_of_json(_raw(item))


def _text(item: Column, plan: Plan) -> str:
    """The column as a text; null where it is none."""
    return text_of_json(_raw(item)) if item.kind == "any" else output(item, plan)


# -- conditions


def _condition(plan: Plan, item: Condition) -> list[str]:
    column, op = item.column, item.op
    if op in ("is null", "is not null"):
        return [f"{output(column, plan)} {op.upper()}"]
    if op in ("in", "not in"):
        return [_member(plan, item)]
    [value] = item.values
    if op == "contains":
        return [_contains(plan, column, value)]
    if op == "!=":
        return [f"NOT {_sure(_equal(plan, column, value))}"]
    if op == "=":
        made = [_equal(plan, column, value)]
        if column.key is not None:
            made.append(f"has(mapKeys(`{column.field}`), {text(map_key(column.key))})")
        if column.name == "trace_id" and plan.question.source == "spans":
            made.append(f"start_ns IN (SELECT start_ns FROM places WHERE trace_id = {text(value)})")  # noqa: S608
        return made
    subject = _text(column, plan) if isinstance(value, str) else _number(column, plan)
    return [f"{subject} {op} {scalar(value)}"]


def _equal(plan: Plan, column: Column, value: str | float) -> str:
    if isinstance(value, str):
        if column.kind == "any":  # texts have one form in JSON
            return f"{_raw(column)} = {text(encoded(value))}"
        return f"{output(column, plan)} = {text(value)}"
    return f"{_number(column, plan)} = {number(value)}"


def _member(plan: Plan, item: Condition) -> str:
    parts = [f"{output(item.column, plan)} IS NULL"] if item.null else []
    parts += [_equal(plan, item.column, value) for value in item.values] if _mixed(item) else _lists(plan, item)
    found = _sure(" OR ".join(parts) or "0")
    return found if item.op == "in" else f"NOT {found}"


def _mixed(item: Condition) -> bool:
    return item.column.kind == "any"


def _lists(plan: Plan, item: Condition) -> list[str]:
    if not item.values:
        return []
    if item.column.kind == "text":
        return [f"{output(item.column, plan)} IN ({', '.join(map(scalar, item.values))})"]
    return [_equal(plan, item.column, value) for value in item.values]  # a list has one type, numbers here have two


def _contains(plan: Plan, column: Column, value: str) -> str:
    if column.kind != "json":
        return f"position({_text(column, plan)}, {text(value)}) > 0"
    # Texts inside JSON are escaped; so is what is looked for, by the same encoder, its quotes taken off.
    return f"position({output(column, plan)}, {text(map_key(value))}) > 0"


def _sure(condition: str) -> str:
    """A condition that is false where it would be null."""
    return f"ifNull({condition}, 0)"


def _scored(plan: Plan, item: ScoreCondition) -> str:
    made = [f"scorer = {text(item.scorer)}"]
    if item.source is not None:
        made.append(f"source = {text(item.source)}")
    if item.test is not None:
        made += _condition(plan._replace(question=_OVER_SCORES), item.test)
    # A trace's scores are on the shard of its spans, so each shard asks its own.
    found = f"(SELECT trace_id, span_id FROM scores{_where(made)})"  # noqa: S608
    return f"(trace_id, span_id) {'NOT IN' if item.absent else 'IN'} {found}"


def _after(plan: Plan, after: Position) -> list[str]:
    source = plan.question.source
    place, time = after.place, TIME[source]
    values = (place.time_ns, place.trace_id, place.span_id, *((place.scorer,) if source == "scores" else ()))
    # A span has its place alone. Scores of one place are all taken, and as many as were seen are left out again.
    op = ("<" if plan.newest_first else ">") + ("=" if source == "scores" else "")
    side = "<=" if plan.newest_first else ">="
    tuple_ = ", ".join(map(scalar, values))
    return [f"{time} {side} {place.time_ns}", f"({', '.join(_PLACE[source])}) {op} ({tuple_})"]


# -- measures and order


def _measure(plan: Plan, item: Aggregate, column: Column | None) -> str:
    if column is None:
        return "count()"
    if item.measure in _COUNTS:
        return f"{_COUNTS[item.measure]}({output(column, plan)})"
    found = _number(column, plan)
    if item.measure in QUANTILES:
        return f"quantileExactInclusiveOrNull({QUANTILES[item.measure]})(toFloat64({found}))"
    if item.measure == "mean":
        return f"avgOrNull(toFloat64({found}))"
    if item.measure == "sum":
        wide = "toInt256" if column.kind in ("int", "bool") else "toFloat64"
        return f"sumOrNull({wide}({found}))"
    return f"{item.measure}OrNull({found})"


def _row_order(plan: Plan) -> str:
    made = [_sort_rows(plan, item) for item in plan.order]
    direction = "DESC" if plan.newest_first else "ASC"
    places = [f"{name} {direction}" for name in _PLACE[plan.question.source]]
    if plan.question.source == "scores":
        places.append(f"arrived {direction}")
    return ", ".join([*made, *places])


def _sort_rows(plan: Plan, item: Sort) -> str:
    direction = "DESC" if item.descending else "ASC"
    column = item.column or plan.columns[item.place]
    if column.kind != "any":
        return f"{output(column, plan)} {direction} NULLS LAST"
    return f"{_number(column, plan)} {direction} NULLS LAST, {_text(column, plan)} {direction} NULLS LAST"


def _group_order(plan: Plan, item: Sort) -> str:
    place, direction = f"c{item.place}", "DESC" if item.descending else "ASC"
    if item.place < len(plan.columns) and plan.columns[item.place].kind in ("json", "any"):
        found = f"if(match({place}, '^[-0-9]'), toFloat64OrNull({place}), NULL)"
        return f"{found} {direction} NULLS LAST, {place} {direction} NULLS LAST"
    return f"{place} {direction} NULLS LAST"


# -- the whole


def _from(source: Source) -> str:
    return "spans FINAL" if source == "spans" else "scores"


def _where(made: list[str]) -> str:
    return f" WHERE {' AND '.join(f'({item})' for item in made)}" if made else ""


def _cut(limit: int | None, offset: int) -> str:
    made = f" LIMIT {limit}" if limit is not None else ""
    return made + (f" OFFSET {offset}" if offset else "")


def _int64(value: int) -> int:
    return max(-(2**63) + 1, min(value, 2**63 - 1))
