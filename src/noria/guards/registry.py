"""Finding kinds of guards by name, and making guards from rules.

Kinds are ``noria.guards`` entry points; the built-ins have no other door than a stranger's plug-in.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import msgspec

from noria.core.errors import Conflict, InvalidInput, UnknownName
from noria.core.guards import Guard, GuardRule
from noria.core.identity import content_id
from noria.guards.kind import GuardKind

GROUP = "noria.guards"
"""The entry-point group."""


def make(rule: GuardRule) -> Guard:
    """The guard of a rule.

    Raises:
        UnknownName: no such kind is registered.
        Conflict: two packages register the kind.
        InvalidInput: the kind can't be loaded, or an option is wrong.
    """
    kind = find(rule.kind)
    try:
        options = msgspec.convert(rule.options, kind.options)
    except msgspec.ValidationError as error:
        known = ", ".join(field.encode_name for field in msgspec.structs.fields(kind.options))
        raise InvalidInput(
            f"The guard {rule.title!r} of kind {rule.kind!r} has a wrong option: {error}.",
            hint=f"Its options are {known or 'none'}.",
        ) from None
    digest = content_id("guard", {"kind": rule.kind, "options": options}).rpartition("_")[2][:12]
    return kind.make(rule.title, f"{rule.kind}@{kind.version}+{digest}", options)


def find(name: str) -> GuardKind[Any]:
    """The kind of that name. Raises as :func:`make`."""
    points = entry_points(group=GROUP)
    found = list(points.select(name=name))
    if not found:
        raise UnknownName(f"There is no guard of kind {name!r}.", hint=f"There are {', '.join(sorted(points.names))}.")
    if len({point.value for point in found}) > 1:
        raise Conflict(f"Several packages register the guard kind {name!r}.", hint="Uninstall all but one.")
    try:
        kind = found[0].load()
    except (ImportError, AttributeError) as error:
        raise InvalidInput(f"The guard kind {name!r} can't be loaded: {error}.") from error
    if not isinstance(kind, GuardKind):
        raise InvalidInput(
            f"{found[0].value} is no noria.guards.kind.GuardKind, so the guard kind {name!r} can't be used."
        )
    return kind
