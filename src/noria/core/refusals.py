"""What msgspec refuses in a configuration, told as its writer would: by the names of the entries, and the line of the TOML file.

msgspec writes ``$.providers[...].base_url``, because a mapping's keys may be anything; here they are names.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

Place = tuple[str, ...]
"""Keys from the outside in; the number of an entry of a list, from 0, as text."""

Check = tuple[Place, Callable[[], object]]
"""What raises ``InvalidInput`` where an entry is wrong, and the place of the entry."""

_AT = re.compile(r" - at `\$(?P<path>[^`]*)`")
_STEP = re.compile(r"\.(?P<field>\w+)|\[(?P<key>[^\]]*)\]")
_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]*)`")


def told(error: msgspec.ValidationError, values: Any, convert: Callable[[Any], object]) -> tuple[str, Place]:
    """The sentence of a refusal without its place, and the place.

    Arguments:
        error: what ``convert`` raised.
        values: what it was given.
        convert: makes of ``values`` what they are to be, and is asked again to find the entry that it refuses.
    """
    sentence = str(error)
    at, unknown = _AT.search(sentence), _UNKNOWN.search(sentence)
    place = () if at is None else _named(at["path"], values, lambda trial: _sentence(trial, convert) == sentence)
    return _AT.sub("", sentence), (*place, unknown["name"]) if unknown else place


def line_of(place: Place, text: str) -> int | None:
    """On which line of a TOML text an entry, or the innermost thing around it that is written there, begins; from 1."""
    found, deepest = None, 0
    for number, written in _written(text):
        if len(written) > deepest and place[: len(written)] == written:
            found, deepest = number, len(written)
    return found


def _named(path: str, values: Any, fails_alike: Callable[[Any], bool]) -> Place:
    place: Place = ()
    here = values
    for step in _STEP.finditer(path):
        key = step["field"] or step["key"]
        if key == "..." and isinstance(here, Mapping):
            key = next((name for name in here if fails_alike(_only(values, place, name))), key)
        place = (*place, key)
        here = (
            here[int(key)] if isinstance(here, list | tuple) else here.get(key) if isinstance(here, Mapping) else None
        )
    return place


def _sentence(values: Any, convert: Callable[[Any], object]) -> str:
    try:
        convert(values)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _only(values: Any, place: Place, name: str) -> Any:
    """The same with all but one entry left out of the mapping at a place."""
    if not place:
        return {name: values[name]}
    if isinstance(values, list | tuple):
        at = int(place[0])
        return [*values[:at], _only(values[at], place[1:], name), *values[at + 1 :]]
    return {**values, place[0]: _only(values[place[0]], place[1:], name)}


def _written(text: str) -> Iterator[tuple[int, Place]]:
    """Lines of tables and keys, each with its whole place. Lines within a text of several lines may be taken for such."""
    table: Place = ()
    counts: dict[Place, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        written = line.strip()
        if written.startswith("[["):
            name = _within(_place(written), counts)
            counts[name] = counts.get(name, -1) + 1
            table = (*name, str(counts[name])) if name else ()
            yield number, table
        elif written.startswith("["):
            table = _within(_place(written), counts)
            yield number, table
        elif "=" in written and (key := _place(f"{written.partition('=')[0]}= 0")):
            yield number, (*table, *key)


def _within(name: Place, counts: Mapping[Place, int]) -> Place:
    """A table's place: what is in an entry of a list is in the last one that was begun."""
    place: Place = ()
    for key in name:
        place = (*place, str(counts[place]), key) if place in counts else (*place, key)
    return place


def _place(written: str) -> Place:
    """The keys in a table's head or before a ``=``; none where it is no such thing."""
    try:
        found: Any = tomllib.loads(written)
    except tomllib.TOMLDecodeError:
        return ()
    place: Place = ()
    while isinstance(found, dict | list) and found:
        if isinstance(found, list):
            found = found[0]
        else:
            [(name, found)] = found.items()
            place = (*place, name)
    return place
