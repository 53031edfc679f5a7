"""A question, checked: what every store does with it before it asks its own database."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import msgspec

from noria.core.cursors import Position, descends, position
from noria.core.errors import InvalidInput
from noria.core.questions import Aggregate, Filter, Order, Question, ScoreFilter
from noria.stores.traces.schema import DERIVED, STORED, Column, Source, column, near
from noria.stores.traces.words import Phrase, phrases

BUCKET = Column("time", "int")
"""What ``time`` means among the groups: no column of a record, but the start of the bucket that its time falls into."""
QUANTILES = {"p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
"""Measures that are percentiles, each with its part."""
_MOST = 10_000
"""Most conditions and columns of one question: databases recurse into them."""
_MOST_VALUES = 100_000
"""Most values of one list, and of all lists of a question."""
_MOST_SCORED = 100
"""Most conditions on scores: each is a question of its own within the question."""
Test = Literal["=", "!=", "<", "<=", ">", ">=", "in", "not in", "contains", "is null", "is not null"]


class Condition(NamedTuple):
    """A filter whose column is known and whose value fits it.

    Null is a value like others for ``!=`` and ``not in`` (what has no app is not in app ``a``), and never less,
    greater or containing. In an ``any`` column texts are compared with texts, numbers with numbers; true is 1.
    """

    column: Column
    op: Test
    """``= null`` has become ``is null``."""
    values: tuple[Any, ...]
    """Values without null: one, or those of the list."""
    null: bool = False
    """For ``in`` and ``not in``: null was in the list."""


class ScoreCondition(NamedTuple):
    """A condition on the scores of a span by one scorer: that there is one that fits, or that there is none at all."""

    scorer: str
    source: str | None
    """None: of any."""
    absent: bool
    """That there is none; then ``test`` is None."""
    test: Condition | None
    """What the value must be; None where any will do."""


class Sort(NamedTuple):
    """One sorting step: nulls come last either way."""

    place: int
    """Which output column, for a grouped question; -1 otherwise."""
    column: Column | None
    """Which column, for an ungrouped one."""
    descending: bool


class Plan(NamedTuple):
    """A checked question."""

    question: Question
    where: tuple[Condition, ...]
    columns: tuple[Column, ...]
    """Output of an ungrouped question, or the groups."""
    measures: tuple[tuple[Aggregate, Column | None], ...]
    order: tuple[Sort, ...]
    grouped: bool
    scored: tuple[ScoreCondition, ...] = ()
    text: tuple[Phrase, ...] = ()
    """All must occur, see :mod:`noria.stores.traces.words`."""
    bucket_ns: int = 0
    """Width of the buckets of ``time``; 0 where it is not among the groups."""
    pages: bool = False
    """Whether a cursor can go on from the answer."""
    newest_first: bool = True
    """How rows that ``order`` leaves equal are ordered by their place (:class:`noria.core.cursors.Place`)."""
    after: Position | None = None
    """Only rows behind this; those of the place itself but for the first ``seen``."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the answer's columns."""
        return (*(item.name for item in self.columns), *(measure.label for measure, _ in self.measures))


def plan(question: Question) -> Plan:
    """Check ``question`` against the schema.

    Raises:
        InvalidInput: an unknown column, a value that does not fit its column, a measure of something without numbers,
            or parts that contradict one another.
    """
    source = question.source
    grouped = bool(question.group_by or question.measures)
    if grouped and question.columns:
        raise InvalidInput("A grouped question can't name columns.", hint="Name them in group_by or in a measure.")
    _check_bounds(question)
    names = question.group_by if grouped else question.columns or (*STORED[source], *_measured(source))
    made = Plan(
        question=question,
        where=tuple(_condition(source, item) for item in question.where),
        columns=tuple(BUCKET if grouped and name == BUCKET.name else column(source, name) for name in names),
        measures=tuple((item, _measure(source, item)) for item in question.measures),
        order=(),
        grouped=grouped,
        scored=tuple(_score_condition(item) for item in question.scored),
        text=_phrases(question),
        bucket_ns=_bucket(question),
        pages=descends(question) is not None,
        newest_first=descends(question) is not False,
    )
    if len(set(made.labels)) < len(made.labels):
        raise InvalidInput("Two columns of the answer have one name.", hint="Give the measures names.")
    made = made._replace(order=tuple(_sort(source, item, made) for item in question.order))
    if question.after is None:
        return made
    if not made.pages:
        raise InvalidInput("Only an ungrouped question in order of time can go on from a cursor.", hint="Use offset.")
    if question.offset:
        raise InvalidInput("A question that goes on from a cursor can't skip rows.", hint="Leave offset away.")
    return made._replace(after=position(question))


def chosen(question: Question) -> Plan:
    """``question`` as a choice of spans to delete or strip: all that match; limit, order and columns do not count.

    Raises:
        InvalidInput: it is for scores, grouped, or goes on from a cursor.
    """
    plain = msgspec.structs.replace(question, columns=(), order=(), limit=None, offset=0)
    if question.after is not None:
        raise InvalidInput("A cursor chooses no spans.", hint="Give conditions, or a time range.")
    return plan(whole(plain, "spans"))


def whole(question: Question, source: Source) -> Question:
    """``question`` as one for whole records of ``source``.

    Raises:
        InvalidInput: it is for the other source, grouped, or names columns.
    """
    if question.source != source:
        raise InvalidInput(f"This is a question over {question.source}; {source} were asked for.")
    if question.columns or question.group_by or question.measures:
        raise InvalidInput(f"Whole {source} come with all columns and ungrouped.", hint="Use a query for parts.")
    return question


def _check_bounds(question: Question) -> None:
    if not all(0 <= number < 2**63 for number in (question.offset, question.limit or 0)):
        raise InvalidInput("limit and offset are whole numbers from 0 to 2^63 - 1.")
    if not 0 <= question.tolerance < 1:
        raise InvalidInput("tolerance is a relative error: from 0, which is exact, to less than 1.")
    parts = (question.where, question.scored, question.columns, question.group_by, question.measures, question.order)
    if sum(map(len, parts)) > _MOST:
        raise InvalidInput(f"A question has at most {_MOST:,} conditions and columns.")
    if len(question.scored) > _MOST_SCORED:
        raise InvalidInput(f"A question has at most {_MOST_SCORED} conditions on scores.")
    if sum(len(item.value) for item in question.where if isinstance(item.value, list | tuple)) > _MOST_VALUES:
        raise InvalidInput(f"The lists of a question have at most {_MOST_VALUES:,} values in all.")
    if question.source != "spans" and (question.scored or question.text is not None):
        raise InvalidInput("Only spans have texts to search and scores to be chosen by.", hint="Ask for spans.")


def _phrases(question: Question) -> tuple[Phrase, ...]:
    return () if question.text is None else phrases(question.text)


def _bucket(question: Question) -> int:
    asked, width = BUCKET.name in question.group_by, question.bucket_s
    if asked != (width is not None):
        raise InvalidInput("Buckets of time need both: time in group_by, and their width in bucket_s.")
    if width is not None and not 0 < width * 10**9 < 2**63:
        raise InvalidInput("bucket_s is a whole number of seconds, from 1 to 9,223,372,036.")
    return (width or 0) * 10**9


def _score_condition(item: ScoreFilter) -> ScoreCondition:
    test = _condition("scores", Filter(column="value", op=item.op, value=item.value))
    scorer = _encodable(Column("scorer", "text"), item.scorer)
    if test.op in ("is null", "is not null"):
        return ScoreCondition(scorer, item.source, test.op == "is null", None)
    return ScoreCondition(scorer, item.source, False, test)


def _measured(source: Source) -> tuple[str, ...]:
    return tuple(name for name, kind in DERIVED[source].items() if kind == "float")


def _measure(source: Source, item: Aggregate) -> Column | None:
    if item.column is None:
        if item.measure != "count":
            raise InvalidInput(f"{item.measure} needs a column.")
        return None
    found = column(source, item.column)
    allowed = {
        "count": ("text", "int", "float", "bool", "json", "any"),
        "distinct": ("text", "int", "float", "bool", "any"),
        "min": ("text", "int", "float", "bool", "any"),
        "max": ("text", "int", "float", "bool", "any"),
    }.get(item.measure, ("int", "float", "bool", "any"))
    if found.kind not in allowed:
        raise InvalidInput(f"{item.measure} can't be taken of {found.name}, which holds {_HOLDS[found.kind]}.")
    return found


def _sort(source: Source, item: Order, made: Plan) -> Sort:
    if not made.grouped:
        found = column(source, item.column)
        if found.kind == "json":
            raise InvalidInput(f"{found.name} holds {_HOLDS['json']}, which have no order.")
        return Sort(-1, found, item.descending)
    if item.column not in made.labels:
        raise InvalidInput(
            f"A grouped answer can't be sorted by {item.column!r}, which it does not hold.",
            hint=near(item.column, list(made.labels)),
        )
    return Sort(made.labels.index(item.column), None, item.descending)


def _condition(source: Source, item: Filter) -> Condition:
    found = column(source, item.column)
    if item.op in ("is null", "is not null"):
        return Condition(found, item.op, ())
    if item.op in ("in", "not in"):
        if not isinstance(item.value, list | tuple):
            raise InvalidInput(f"{item.op!r} on {item.column} needs a list.")
        if len(item.value) > _MOST_VALUES:
            raise InvalidInput(
                f"The list for {item.column} has {len(item.value):,} values, at most {_MOST_VALUES:,} go."
            )
        values = tuple(_fitting(found, value) for value in item.value if value is not None)
        return Condition(found, item.op, values, None in item.value)
    if item.value is None:
        if item.op in ("=", "!="):
            return Condition(found, "is null" if item.op == "=" else "is not null", ())
        raise InvalidInput(f"{item.op!r} on {item.column} needs a value.")
    if item.op == "contains":
        if found.kind not in ("text", "json", "any") or not isinstance(item.value, str):
            raise InvalidInput(f"'contains' looks for a text in a text; {item.column} holds {_HOLDS[found.kind]}.")
        return Condition(found, item.op, (_encodable(found, item.value),))
    if found.kind == "json":
        raise InvalidInput(
            f"{item.column} holds {_HOLDS['json']}, which can't be compared with {item.op!r}.",
            hint=f"Use contains or is null, or ask for one key, such as {item.column}.<key>.",
        )
    return Condition(found, item.op, (_fitting(found, item.value),))


_HOLDS = {
    "text": "texts",
    "int": "numbers",
    "float": "numbers",
    "bool": "true or false",
    "json": "lists or objects",
    "any": "texts or numbers",
}


def _fitting(found: Column, value: Any) -> Any:
    """``value`` as the column's kind compares it: a text, a float, or a boolean."""
    if isinstance(value, str) and found.kind in ("text", "any"):
        return _encodable(found, value)
    if isinstance(value, bool) and found.kind in ("bool", "any"):
        return value if found.kind == "bool" else float(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and found.kind in ("int", "float", "any"):
        return _number(found, value)
    raise InvalidInput(f"{found.name} holds {_HOLDS[found.kind]}, so it can't be compared with {value!r}.")


def _number(found: Column, value: float) -> float:
    if found.kind == "int" and isinstance(value, int) and abs(value) < 2**63:
        return value  # nanoseconds don't fit a float
    try:
        number = float(value)
    except OverflowError:
        return math.copysign(math.inf, value)
    if not math.isfinite(number):
        raise InvalidInput(f"{found.name} can't be compared with {value}; only finite numbers are kept.")
    return number


def _encodable(found: Column, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"The text to compare {found.name} with holds half a surrogate pair.") from error
    return value
