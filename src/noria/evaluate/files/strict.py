"""Values into structs, strictly: every key must be known, and every complaint names its line and what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from noria.evaluate.files.marked import Document, Path

T = TypeVar("T")

_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]")


def convert(document: Document, into: type[T]) -> T:
    """Make a struct of a document.

    Unlike ``forbid_unknown_fields`` this holds for nested structs that are open elsewhere, and knows near matches.

    Raises:
        InvalidInput: with ``file:line:column``, for the first unknown key, missing key or wrong value.
    """
    for path, known in _unknown_keys(document.value, inspect.type_info(into), ()):
        near = get_close_matches(str(path[-1]), known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known)}."
        raise document.error(f'unknown key "{dotted(path)}".', path, hint=hint)
    try:
        return msgspec.convert(document.value, into)
    except msgspec.ValidationError as error:
        found = _AT.match(str(error))
        what, text = (found["what"], found["path"] or "") if found else (str(error), "")
        path = _path(text)
        prefix = f"{dotted(path)}: " if path else ""
        raise document.error(f"{prefix}{what}.", path) from error


def dotted(path: Path) -> str:
    """``variants[0].model``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _path(text: str) -> Path:
    """Read msgspec's ``.variants[0].model`` as a path; it ends where msgspec does not name a dictionary's key."""
    steps = _STEP.finditer(text.partition("[...]")[0])
    return tuple(step["key"] if step["index"] is None else int(step["index"]) for step in steps)


def _unknown_keys(value: Any, kind: inspect.Type, path: Path) -> Iterator[tuple[Path, list[str]]]:
    """Keys that no struct has, with those that it has, in the document's order."""
    match kind:
        case inspect.Metadata(type=inner):
            yield from _unknown_keys(value, inner, path)
        case inspect.UnionType(types=kinds):
            for inner in kinds:
                yield from _unknown_keys(value, inner, path)
        case inspect.StructType(fields=fields) if isinstance(value, dict):
            known = {field.encode_name: field.type for field in fields}
            for key, item in value.items():
                if key in known:
                    yield from _unknown_keys(item, known[key], (*path, key))
                else:
                    yield (*path, key), list(known)
        case inspect.VarTupleType(item_type=inner) if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _unknown_keys(item, inner, (*path, index))
        case _:
            pass
