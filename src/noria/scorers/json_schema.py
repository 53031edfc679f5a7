"""Whether the answer is JSON that satisfies a schema.

Nothing is fetched: a ``$ref`` to another document is refused when the scorer is made. ``pattern`` runs with a deadline
(see :mod:`noria.scorers.regex`); ``patternProperties`` runs in Python's ``re``, without one, so keep its patterns simple.
``format`` is an annotation and is not asserted, as Draft 2020-12 says by default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from noria.core.errors import InvalidInput, NoriaError
from noria.core.identity import canonical
from noria.core.scores import Scorer, Subject
from noria.scorers.answers import NotJson, parsed
from noria.scorers.kind import CodeScorer, Finding, Kind, Options, Setup
from noria.scorers.regex import bounded_search
from noria.scorers.texts import shown

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

PATTERN_TIMEOUT_S = 0.25
"""Longest search of one ``pattern``, seconds."""


class JsonSchemaOptions(Options):
    """The schema."""

    schema: Annotated[dict[str, Any], Meta(description="JSON Schema, Draft 2020-12, that the answer must satisfy.")]
    fenced: Annotated[bool, Meta(description="Accept an answer that is one Markdown code block of JSON.")] = False


def make(setup: Setup[JsonSchemaOptions]) -> Scorer:
    """Check the schema once. Raises ``InvalidInput`` when it is no schema, or refers to another document."""
    validator = _validator(setup.options.schema, f"The schema of scorer {setup.name!r}")
    return CodeScorer(
        setup.name,
        setup.version,
        frozenset({"output"}),
        "higher",
        lambda subject: _judge(subject, setup.options, validator),
    )


def _validator(schema: dict[str, Any], whose: str) -> Validator:
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
    keywords = {"pattern": _pattern_keyword(patterns), "uniqueItems": _unique_items}
    return extend(Draft202012Validator, keywords)(schema, registry=registry)


def _pattern_keyword(patterns: dict[str, Any]) -> Any:
    """The ``pattern`` keyword, with a deadline."""
    from jsonschema import ValidationError  # noqa: PLC0415

    def pattern(validator: Validator, text: str, instance: Any, schema: Any) -> Iterator[ValidationError]:  # noqa: ARG001 - the library's signature
        if isinstance(instance, str) and not bounded_search(patterns[text], instance, timeout_s=PATTERN_TIMEOUT_S):
            yield ValidationError(f"{shown(instance)} does not match {shown(text)}")

    return pattern


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


def _patterns(schema: Any) -> list[str]:
    return list(_found(schema, "pattern"))


def _judge(subject: Subject, options: JsonSchemaOptions, validator: Validator) -> Finding:
    from jsonschema.exceptions import best_match  # noqa: PLC0415 - loaded when the scorer was made
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    try:
        value = parsed(subject.output, fenced=options.fenced)
    except NotJson as error:
        return Finding(value=False, reason=str(error))
    try:
        worst = best_match(validator.iter_errors(value))
    except RecursionError:
        raise NoriaError("The answer is nested deeper than the schema can be checked.") from None
    except OverflowError:
        raise NoriaError("The answer holds a number too large for the schema to be checked.") from None
    except Unresolvable as error:
        raise InvalidInput(f"The schema refers to what is not in it: {error}.") from None
    if worst is None:
        return Finding(value=True, reason="The answer satisfies the schema.")
    return Finding(
        value=False,
        reason=f"At {worst.json_path}: {worst.message[:400]}.",
        metadata={"path": worst.json_path, "keyword": str(worst.validator)},
    )


KIND = Kind(
    description="Whether the answer is JSON that satisfies a JSON Schema.",
    options=JsonSchemaOptions,
    make=make,
    needs=frozenset({"output"}),
    value="boolean",
    better="higher",
    source="JSON Schema Draft 2020-12, https://json-schema.org/draft/2020-12",
)
