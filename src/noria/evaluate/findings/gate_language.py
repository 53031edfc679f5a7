"""The conditions of an evaluation file, such as ``accuracy.lower > 0.6``: their grammar and their parser.

    gate    = [ variant ":" ] subject operator number
    subject = metric "." field  |  metric ".difference." field  |  count
    field   = mean | value | lower | upper | n | errors         of a metric's estimate
            | p50 | p90 | p99                                   of latency, ttft, tpot
            | total                                             of cost, input_tokens, output_tokens
            | peak                                              of memory
            | mean | value | lower | upper | p                  of a difference from the baseline
    count   = errors | cases | calls | cached
    operator= < | <= | > | >= | == | !=
    number  = 0.6 | -2e-3 | 60 %

A metric over a run has dots in its name (``sentiment.macro_f1.lower``): the field is what follows the last dot. Names with
other characters than letters, digits, ``_``, ``-``, ``/``, ``@`` and ``+`` are written in double quotes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal

from noria.core.errors import InvalidInput
from noria.core.struct import Noun

Operator = Literal["<", "<=", ">", ">=", "==", "!="]

ESTIMATE_FIELDS = ("mean", "value", "lower", "upper", "n", "errors")
DIFFERENCE_FIELDS = ("mean", "value", "lower", "upper", "p")
RUN_FIELDS = {
    "latency": ("p50", "p90", "p99"),
    "ttft": ("p50", "p90", "p99"),
    "tpot": ("p50", "p90", "p99"),
    "cost": ("total",),
    "input_tokens": ("total",),
    "output_tokens": ("total",),
    "memory": ("peak",),
}
COUNTS = ("errors", "cases", "calls", "cached")

_NAME = re.compile(r'"(?P<quoted>[^"\n]+)"|(?P<plain>[\w/@+-]+)')
_OPERATOR = re.compile(r"<=|>=|==|!=|<|>")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_END = re.compile(r"\Z")
_SPACE = re.compile(r"\s*")
_MAX_LENGTH = 500


class Gate(Noun):
    """A condition, taken apart."""

    text: str
    """As written."""
    variant: str | None = None
    """The variant it speaks of; None for every one that is not the baseline, or the only one."""
    metric: str = ""
    """The metric; empty when ``field`` is a count of the run."""
    difference: bool = False
    """Whether it speaks of the difference from the baseline."""
    field: str
    """What of the metric, or a count of the run."""
    operator: Operator
    """How it compares."""
    bound: float
    """What it compares with."""

    @property
    def of_run(self) -> bool:
        """Whether it speaks of the run's times, tokens, cost or counts rather than of a scorer's metric."""
        return not self.metric or (not self.difference and self.field in RUN_FIELDS.get(self.metric, ()))


def parse_gate(text: str) -> Gate:
    """Take a condition apart.

    Raises:
        InvalidInput: it is not a condition; says at which character, and what was expected there.
    """
    if len(text) > _MAX_LENGTH:
        raise InvalidInput(f"A gate of {len(text):,} characters is too long; {_MAX_LENGTH} are allowed.")
    reader = _Reader(text)
    names = reader.dotted()
    variant = None
    if reader.take(":"):
        variant = ".".join(names)
        names = reader.dotted()
    metric, difference, field = _subject(reader, names)
    operator = reader.operator()
    bound = reader.number()
    reader.end()
    return Gate(
        text=text,
        variant=variant,
        metric=metric,
        difference=difference,
        field=field,
        operator=operator,
        bound=bound,
    )


def check_names(gates: Iterable[Gate], *, metrics: Iterable[str], variants: Iterable[str]) -> None:
    """Refuse gates that could never be evaluated, before a call is spent on them.

    Raises:
        InvalidInput: a gate names a metric or a variant that the experiment does not have; suggests the nearest.
    """
    known_metrics, known_variants = list(metrics), list(variants)
    for gate in gates:
        if gate.variant is not None and gate.variant not in known_variants:
            raise InvalidInput(f'Gate "{gate.text}": {unknown("variant", gate.variant, known_variants)}')
        if not gate.of_run and gate.metric not in known_metrics:
            raise InvalidInput(f'Gate "{gate.text}": {unknown("metric", gate.metric, known_metrics)}')


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """A sentence that says so and suggests the nearest name."""
    names = list(known)
    near = get_close_matches(name, names, n=1)
    advice = f'Did you mean "{near[0]}"?' if near else f"There is: {', '.join(names) or 'none'}."
    return f'there is no {kind} "{name}". {advice}'


def _subject(reader: _Reader, names: list[str]) -> tuple[str, bool, str]:
    if len(names) == 1:
        if names[0] in COUNTS:
            return "", False, names[0]
        fields = RUN_FIELDS.get(names[0], ()) + ESTIMATE_FIELDS
        raise reader.error(f"a field after it, such as {names[0]}.{fields[0]} ({', '.join(fields)})")
    *metric, field = names
    difference = len(metric) > 1 and metric[-1] == "difference"
    name = ".".join(metric[:-1] if difference else metric)
    fields = DIFFERENCE_FIELDS if difference else RUN_FIELDS.get(name, ()) + ESTIMATE_FIELDS
    if field not in fields:
        near = get_close_matches(field, fields, n=1)
        advice = f" (nearest: {near[0]})" if near else ""
        raise reader.error(f'one of {", ".join(fields)} instead of "{field}"{advice}', at=reader.word)
    return name, difference, field


class _Reader:
    """Reads a gate from left to right and knows where it is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.word = 0
        """Where the last name began."""

    def name(self, expected: str) -> str:
        found = self._match(_NAME)
        if found is None:
            raise self.error(expected)
        self.word = found.start()
        return found["quoted"] or found["plain"]

    def dotted(self) -> list[str]:
        names = [self.name("a metric, such as accuracy")]
        while self.take("."):
            names.append(self.name("a field, such as lower"))
        return names

    def take(self, mark: str) -> bool:
        at = self._skip()
        if not self.text.startswith(mark, at):
            return False
        self.at = at + len(mark)
        return True

    def operator(self) -> Operator:
        found = self._match(_OPERATOR)
        symbols: dict[str, Operator] = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "==", "!=": "!="}
        if found is None:
            raise self.error("one of < <= > >= == !=")
        return symbols[found[0]]

    def number(self) -> float:
        found = self._match(_NUMBER)
        if found is None:
            raise self.error("a number, such as 0.6 or 60 %")
        value = float(found[0])
        if math.isinf(value):
            raise self.error("a smaller number", at=found.start())
        return value / 100.0 if self.take("%") else value

    def end(self) -> None:
        if self._match(_END) is None:
            raise self.error("nothing more")

    def error(self, expected: str, *, at: int | None = None) -> InvalidInput:
        place = self._skip() if at is None else at
        rest = self.text[place : place + 20]
        where = f'character {place + 1}, "{rest}"' if rest else "its end"
        return InvalidInput(f'The gate "{self.text}" is wrong at {where}: expected {expected}.')

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self._skip())
        if found is not None:
            self.at = found.end()
        return found

    def _skip(self) -> int:
        found = _SPACE.match(self.text, self.at)
        return found.end() if found else self.at
