"""YAML with memory: plain values, and for each of them the line and column it was written at.

Deliberately less than YAML 1.1. Scalars follow the JSON-compatible core of YAML 1.2, so ``yes``, ``no``, ``on`` and
``12:30`` are text (labels of a classifier are often yes and no). Tags, duplicate keys, keys that are not text, endless
aliases and deep nesting are refused. No Python object is ever constructed: only nodes are composed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from noria.core.errors import InvalidInput

Path = tuple[str | int, ...]
"""Keys and positions from the top of a document to a value."""

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_VALUES = 100_000

_NULL, _BOOL, _INT, _FLOAT, _STR, _MERGE = (
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "merge")
)


_SCALARS: dict[str, Callable[[str], Any]] = {
    _STR: str,
    _NULL: lambda _: None,
    _BOOL: lambda text: text.lower() == "true",
    _INT: int,
    _FLOAT: float,
}


class _Composer(Reader, Scanner, Parser, Composer, BaseResolver):
    """PyYAML's pipeline up to nodes; what would construct objects is left out."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)


for _tag, _pattern, _first in (
    (_NULL, r"~|null|Null|NULL|", ("~", "n", "N", "")),
    (_BOOL, r"true|True|TRUE|false|False|FALSE", tuple("tTfF")),
    (_INT, r"[-+]?[0-9]+", tuple("-+0123456789")),
    (_FLOAT, r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", tuple("-+.0123456789")),
    (_MERGE, r"<<", ("<",)),
):
    _Composer.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), list(_first))


class Document:
    """A YAML document as plain values, with the place of each of them.

    Raises:
        InvalidInput: the text is not UTF-8, not YAML, too large, or uses a feature that is refused; the sentence
            begins with ``file:line:column``.
    """

    def __init__(self, data: bytes, *, name: str) -> None:
        self.name = name
        """The file's name, for error sentences."""
        self._marks: dict[Path, tuple[int, int]] = {}
        self._left = MAX_VALUES
        self.value: Any = self._read(data)
        """The whole document: dictionaries, lists, text, numbers, booleans, None."""

    def where(self, path: Path = ()) -> str:
        """``file:line:column`` of the value at ``path``, or of the nearest value around it."""
        while path and path not in self._marks:
            path = path[:-1]
        line, column = self._marks.get(path, (1, 1))
        return f"{self.name}:{line}:{column}"

    def error(self, message: str, path: Path = (), *, hint: str = "") -> InvalidInput:
        """An error that begins with the place of the value at ``path``."""
        return InvalidInput(f"{self.where(path)}: {message}", hint=hint)

    def _read(self, data: bytes) -> Any:
        if len(data) > MAX_BYTES:
            raise InvalidInput(f"{self.name} has {len(data)} bytes; at most {MAX_BYTES} are read.")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            message = f"{self.name}: byte 0x{data[error.start]:02x} at offset {error.start} is not UTF-8."
            raise InvalidInput(message, hint="Save the file as UTF-8.") from error
        try:
            node = _Composer(text).get_single_node()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
            raise InvalidInput(f"{self.name}{place}: this is not YAML: {error.problem}.") from error
        except yaml.YAMLError as error:
            raise InvalidInput(f"{self.name}: this is not YAML: {' '.join(str(error).split())}.") from error
        except RecursionError:
            raise InvalidInput(f"{self.name}: the YAML is nested more than {MAX_DEPTH} levels.") from None
        if node is None:
            raise InvalidInput(f"{self.name} is empty.")
        return self._value(node, ())

    def _value(self, node: yaml.Node, path: Path) -> Any:
        """Turn a node into a value. Aliases are expanded here, so this is where their number is bounded."""
        self._marks[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        self._left -= 1
        if self._left < 0:
            raise self.error(f"more than {MAX_VALUES} values, aliases expanded.", path)
        if len(path) > MAX_DEPTH:
            raise self.error(f"the YAML is nested more than {MAX_DEPTH} levels.", path)
        if isinstance(node, yaml.MappingNode) and node.tag == BaseResolver.DEFAULT_MAPPING_TAG:
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == BaseResolver.DEFAULT_SEQUENCE_TAG:
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        raise self.error(f"the tag {node.tag} is not allowed here.", path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
            if key_node.tag == _MERGE:
                here = self._marks[path]
                merged = self._merged(value_node, path) | merged
                self._marks[path] = here
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise InvalidInput(f"{self.name}:{line}:{column}: a key must be text.")
            key = key_node.value
            if key in found:
                raise InvalidInput(f'{self.name}:{line}:{column}: the key "{key}" is there twice.')
            found[key] = self._value(value_node, (*path, key))
            self._marks[*path, key] = (line, column)
        return merged | found

    def _merged(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        """The mapping, or mappings, that ``<<`` pulls in; the first of several wins."""
        values = self._value(node, path)
        result: dict[str, Any] = {}
        for value in values if isinstance(values, list) else [values]:
            if not isinstance(value, dict):
                raise self.error("<< takes a mapping, or a list of mappings.", path)
            result = value | result
        return result

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        if node.tag not in _SCALARS:
            raise self.error(f"the tag {node.tag} is not allowed here.", path)
        try:
            value = _SCALARS[node.tag](node.value)
        except ValueError:
            raise self.error(f"{node.value[:40]} is not a number.", path) from None
        if isinstance(value, float) and not math.isfinite(value):
            raise self.error(f"{node.value[:40]} is too large for a number.", path)
        return value
