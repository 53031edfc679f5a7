"""Finding kinds of scorers by name, and making scorers from specs.

Kinds are ``noria.scorers`` entry points; the built-ins have no other door than a stranger's plug-in. Only the module
of the kind that is asked for is imported.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import msgspec

from noria.core.errors import Conflict, InvalidInput, UnknownName
from noria.core.identity import content_id
from noria.core.scores import Scorer, ScorerSpec
from noria.core.struct import Noun
from noria.scorers.kind import Ask, Kind, Options, Setup

GROUP = "noria.scorers"
"""The entry-point group."""
VERSION_HEX = 12
"""Hex digits of the options' content id that a scorer's version shows."""


class KindCard(Noun):
    """What people and programs are told about a kind."""

    kind: str
    """Its name in specs and files."""
    description: str
    """What it judges, one line."""
    needs: tuple[str, ...]
    """What its scorers read at most: ``output``, ``reference``, ``context``, ``span``."""
    value: str
    """Type and range of its values."""
    better: str | None
    """``higher``, ``lower`` or None, with default options."""
    source: str
    """Paper, standard or program that defines it."""
    asks: bool
    """Whether it calls a model."""
    package: str
    """The package that registers it."""
    options: dict[str, Any]
    """JSON Schema of its options."""


def make(spec: ScorerSpec, *, ask: Ask | None = None) -> Scorer:
    """The scorer that a spec describes; the same spec makes a scorer of the same version, on any machine.

    Arguments:
        ask: how to call a model, for kinds that do.

    Raises:
        UnknownName: no such kind is registered.
        Conflict: two packages register the kind.
        InvalidInput: an option is unknown or wrong, or the kind asks a model and ``ask`` is None.
    """
    kind = find(spec.kind)
    options = _options(kind, spec)
    of_options = content_id("scorer", {"kind": spec.kind, "options": options}).rpartition("_")[2][:VERSION_HEX]
    version = f"{spec.kind}@{kind.version}+{of_options}"
    if kind.asks and ask is None:
        raise InvalidInput(
            f"The scorer {spec.name!r} of kind {spec.kind!r} asks a model, and here none can be called.",
            hint="Use it where models are configured, or choose a kind that needs none.",
        )
    return kind.make(Setup(name=spec.name, version=version, options=options, ask=ask))


def find(name: str) -> Kind[Any]:
    """The kind of that name. Raises ``UnknownName``, ``Conflict``, or ``InvalidInput`` when it cannot be loaded."""
    points = entry_points(group=GROUP)
    if name not in points.names:
        near = get_close_matches(name, sorted(points.names), n=3)
        raise UnknownName(
            f"There is no scorer of kind {name!r}.",
            hint=f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(sorted(points.names))}.",
        )
    return _loaded(_only(list(points.select(name=name))))


def kinds() -> dict[str, KindCard]:
    """Every registered kind, by name in alphabetical order. Imports them all."""
    points = entry_points(group=GROUP)
    return {name: _card(_only(list(points.select(name=name)))) for name in sorted(points.names)}


def options_schema(name: str) -> dict[str, Any]:
    """JSON Schema (Draft 2020-12) of a kind's options, without references, so that it can be put into another."""
    return _schema(find(name).options)


def _only(points: list[EntryPoint]) -> EntryPoint:
    if len({point.value for point in points}) > 1:
        packages = " and ".join(sorted(_package(point) for point in points))
        raise Conflict(
            f"The scorer kind {points[0].name!r} is registered by {packages}.", hint="Uninstall one of them."
        )
    return points[0]


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module


def _loaded(point: EntryPoint) -> Kind[Any]:
    try:
        kind = point.load()
    except (ImportError, AttributeError) as error:
        raise InvalidInput(
            f"The scorer kind {point.name!r} of package {_package(point)!r} cannot be loaded: {error}.",
            hint="Install the package again, with what it needs.",
        ) from error
    if not isinstance(kind, Kind):
        raise InvalidInput(
            f"{point.value} of package {_package(point)!r} is no noria.scorers.kind.Kind, "
            f"so the scorer kind {point.name!r} cannot be used."
        )
    return kind


def _card(point: EntryPoint) -> KindCard:
    kind = _loaded(point)
    return KindCard(
        kind=point.name,
        description=kind.description,
        needs=tuple(need for need in ("output", "reference", "context", "span") if need in kind.needs),
        value=kind.value,
        better=kind.better,
        source=kind.source,
        asks=kind.asks,
        package=_package(point),
        options=_schema(kind.options),
    )


def _options(kind: Kind[Any], spec: ScorerSpec) -> Options:
    allowed = [field.encode_name for field in msgspec.structs.fields(kind.options)]
    whose = f"The scorer {spec.name!r} of kind {spec.kind!r}"
    hint = f"Its options are {', '.join(allowed)}." if allowed else "It has no options."
    for option in spec.options:
        if option not in allowed:
            near = get_close_matches(option, allowed, n=1)
            raise InvalidInput(
                f"{whose} has no option {option!r}.", hint=f"Did you mean {near[0]}? {hint}" if near else hint
            )
    try:
        found: Options = msgspec.convert(spec.options, kind.options)
    except msgspec.ValidationError as error:
        what = str(error).replace("`$.", "`").replace("Object missing required field", "Missing option")
        raise InvalidInput(f"{whose} has a wrong option: {what}.", hint=hint) from None
    return found


def _schema(options: type[Options]) -> dict[str, Any]:
    whole = msgspec.json.schema(options)
    found: dict[str, Any] = _inlined(whole, whole.get("$defs", {}))
    found.pop("$defs", None)
    return found


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """``schema`` with every reference replaced by what it refers to; options are never recursive."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        meant = definitions[schema["$ref"].rpartition("/")[2]]
        return _inlined(
            {**meant, **{key: value for key, value in schema.items() if key not in ("$ref", "$defs")}}, definitions
        )
    return {key: _inlined(value, definitions) for key, value in schema.items()}
