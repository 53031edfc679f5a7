"""Values held to a JSON Schema that anybody may have written.

Nothing is fetched: a ``$ref`` to another document is refused. A check has a deadline, looked at before every keyword, and
patterns run in the ``regex`` package with one of their own: a schema can be written so that a check takes hours.
``format`` is an annotation and is not asserted, as Draft 2020-12 says by default.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from noria.core.errors import InvalidInput, NoriaError
from noria.core.identity import canonical
from noria.scorers.answers import NotJson, parsed, unfenced
from noria.scorers.regex import bounded_search
from noria.scorers.texts import shown

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

PATTERN_TIMEOUT_S = 0.25
"""Longest search of one pattern, seconds."""
CHECK_TIMEOUT_S = 2.0
"""Longest check of one value, seconds."""
MOST_BYTES = 128 * 1024
"""Largest schema of a reply, as JSON: to check one of so many bytes takes two seconds."""


class Problem(NamedTuple):
    """Why a value does not satisfy a schema."""

    path: str
    """Where, such as ``$.age``."""
    message: str
    """What is wrong there, without a full stop."""
    keyword: str
    """The schema's keyword that says so."""


class Schema:
    """A schema, checked once.

    Arguments:
        schema: JSON Schema, Draft 2020-12.
        whose: what to call it, such as ``The schema of scorer 'shape'``.

    Raises:
        InvalidInput: it is no schema, or refers to another document.
    """

    def __init__(self, schema: dict[str, Any], whose: str) -> None:
        self._time = threading.local()  # several threads may check with one schema
        self._validator = _validator(schema, whose, self._in_time)

    def problem(self, value: Any) -> Problem | None:
        """What is wrong with ``value``; None where nothing is.

        Raises:
            NoriaError: it can't be checked.
            InvalidInput: not in time, or the schema refers to what is not in it.
        """
        from jsonschema.exceptions import best_match  # noqa: PLC0415 - loaded when the schema was made
        from referencing.exceptions import Unresolvable  # noqa: PLC0415

        self._time.end = time.monotonic() + CHECK_TIMEOUT_S
        try:
            worst = best_match(self._validator.iter_errors(value))
        except RecursionError:
            raise NoriaError("The answer is nested deeper than the schema can be checked.") from None
        except OverflowError:
            raise NoriaError("The answer holds a number too large for the schema to be checked.") from None
        except Unresolvable as error:
            raise InvalidInput(f"The schema refers to what is not in it: {error}.") from None
        return Problem(worst.json_path, worst.message[:400], str(worst.validator)) if worst is not None else None

    def _in_time(self) -> None:
        if time.monotonic() > self._time.end:
            raise InvalidInput(
                f"The answer could not be checked against the schema within {CHECK_TIMEOUT_S:g} s.",
                hint="Write a simpler schema.",
            )


def reading(schema: dict[str, Any] | None) -> Callable[[str], str]:
    """A function from a model's words to the JSON in them, which satisfies ``schema``; None for any JSON object.

    It takes a Markdown fence off, and nothing else, and raises :class:`NotJson` where the rest is something else.

    Raises:
        InvalidInput: the schema is none.
    """
    if schema is not None and len(canonical(schema)) > MOST_BYTES:
        raise InvalidInput(
            f"The schema of the reply is larger than {MOST_BYTES:,} bytes, which takes too long to check."
        )
    held = None if schema is None else Schema(schema, "The schema of the reply")

    def read(text: str) -> str:
        value = parsed(text, fenced=True)
        if held is None and not isinstance(value, dict):
            raise NotJson("The answer is JSON and no object.")
        if held is not None and (problem := held.problem(value)) is not None:
            raise NotJson(f"At {problem.path}: {problem.message}.")
        return unfenced(text).strip()

    return read


def _validator(schema: dict[str, Any], whose: str, in_time: Callable[[], None]) -> Validator:
    import regex  # noqa: PLC0415 - heavy, as the next ones
    from jsonschema import Draft202012Validator, SchemaError, validators  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415
    from referencing.jsonschema import DRAFT202012  # noqa: PLC0415

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise InvalidInput(f"{whose} is wrong at {error.json_path}: {error.message}.") from None
    registry: Registry[Any] = Registry()  # given explicitly, it keeps jsonschema from fetching over the network
    resolver = registry.resolver_with_root(DRAFT202012.create_resource(schema))
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            raise InvalidInput(
                f"{whose} refers to {shown(reference)}, which is not in it, and nothing is fetched.",
                hint="Put the definition under $defs and refer to it as #/$defs/NAME.",
            ) from None
    try:
        patterns = {text: regex.compile(text) for text in _patterns(schema)}
    except regex.error as error:
        raise InvalidInput(f"{whose} has a wrong pattern: {error}.") from None
    extend: Callable[..., type[Validator]] = validators.extend  # the library leaves it untyped
    keywords = dict(Draft202012Validator.VALIDATORS) | {
        "pattern": _pattern_keyword(patterns),
        "patternProperties": _pattern_properties(patterns, in_time),
        "uniqueItems": _unique_items,
    }
    timed = {name: _timed(keyword, in_time) for name, keyword in keywords.items()}
    return extend(Draft202012Validator, timed)(schema, registry=registry)


def _timed(keyword: Any, in_time: Callable[[], None]) -> Any:
    def checked(validator: Validator, value: Any, instance: Any, schema: Any) -> Any:
        in_time()
        return keyword(validator, value, instance, schema)

    return checked


def _pattern_keyword(patterns: dict[str, Any]) -> Any:
    """The ``pattern`` keyword, with a deadline."""
    from jsonschema import ValidationError  # noqa: PLC0415

    def pattern(validator: Validator, text: str, instance: Any, schema: Any) -> Iterator[ValidationError]:  # noqa: ARG001 - the library's signature
        if isinstance(instance, str) and not bounded_search(patterns[text], instance, timeout_s=PATTERN_TIMEOUT_S):
            yield ValidationError(f"{shown(instance)} does not match {shown(text)}")

    return pattern


def _pattern_properties(patterns: dict[str, Any], in_time: Callable[[], None]) -> Any:
    """The ``patternProperties`` keyword, with a deadline."""

    def keyword(validator: Any, by_pattern: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:  # noqa: ARG001 - the library's signature
        if not isinstance(instance, dict):
            return
        for text, inner in by_pattern.items():
            for name, value in instance.items():
                in_time()
                if bounded_search(patterns[text], name, timeout_s=PATTERN_TIMEOUT_S):
                    yield from validator.descend(value, inner, path=name, schema_path=text)

    return keyword


def _unique_items(validator: Validator, unique: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:  # noqa: ARG001 - the library's signature
    """The ``uniqueItems`` keyword. The library compares lists and objects with each other: 6,000 took half a minute."""
    from jsonschema import ValidationError  # noqa: PLC0415

    if unique and isinstance(instance, list) and len({canonical(item) for item in instance}) < len(instance):
        yield ValidationError("the items are not all different")


def _found(schema: Any, keyword: str) -> Iterator[str]:
    """Every text under ``keyword``, anywhere. What stands in ``const``, ``enum`` and the like is data, not schema."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == keyword and isinstance(value, str):
                yield value
            elif key not in ("const", "enum", "default", "examples"):
                yield from _found(value, keyword)
    elif isinstance(schema, list):
        for item in schema:
            yield from _found(item, keyword)


def _references(schema: Any) -> list[str]:
    return [*_found(schema, "$ref"), *_found(schema, "$dynamicRef")]


def _patterns(schema: Any) -> set[str]:
    return {*_found(schema, "pattern"), *_keys(schema, "patternProperties")}


def _keys(schema: Any, keyword: str) -> Iterator[str]:
    """Every name in an object under ``keyword``, anywhere."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == keyword and isinstance(value, dict):
                yield from value
            if key not in ("const", "enum", "default", "examples"):
                yield from _keys(value, keyword)
    elif isinstance(schema, list):
        for item in schema:
            yield from _keys(item, keyword)
