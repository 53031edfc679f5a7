"""Reads the header of a GGUF file: what the model is, and whether the file is whole.

Source: the GGUF specification (ggml, ``docs/gguf.md``), versions 2 and 3, little-endian. A file from outside may be
hostile: every length is checked against what is left of the file before anything is read, and what is kept is bounded.
It does not know what the tensors hold.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from noria.core.errors import InvalidInput
from noria.core.struct import Noun
from noria.engines.gguf_types import ARRAY, BLOCKS, FILE_TYPES, SCALARS, STRING

_MAX_ENTRIES = 100_000
"""Metadata entries, tensors: real files have fewer than 100 and 3,000."""
_MAX_WALKED = 2_000_000
"""Texts and arrays walked over in all; the largest vocabularies have 262,000 tokens and twice as many merges."""
_MAX_KEPT = 1 << 20
"""Bytes of one string that is kept; the longest chat templates have 20,000."""
_MAX_LIST = 4_096
"""Numbers of one array that is kept: one for each layer."""
_MAX_DEPTH = 4
_MAX_DIMENSIONS = 8
_POOLING = {1: "mean", 2: "cls", 3: "last", 4: "rank"}
"""llama.cpp's ``llama_pooling_type``; 0 is none."""


class GGUFHeader(Noun):
    """What a GGUF file says of itself."""

    version: int
    """Of the format: 2 or 3."""
    size: int
    """Bytes of the file."""
    architecture: str
    """Such as ``llama``."""
    kind: str = "model"
    """``general.type``: ``model``, ``adapter``, ``mmproj`` ..."""
    name: str = ""
    """The model's name for people."""
    licence: str = ""
    """SPDX id, where the file has one."""
    quantisation: str = ""
    """What most tensors are quantised to, such as ``Q4_1``; empty when not said."""
    parameters: int = 0
    """Numbers in all tensors."""
    context_length: int | None = None
    """Tokens that the model was trained for."""
    layers: int | None = None
    """Transformer blocks."""
    embedding: int | None = None
    """Width of the hidden state."""
    heads: int | None = None
    """Attention heads; the largest number, where layers differ."""
    kv_heads: tuple[int, ...] = ()
    """Key-value heads of each layer."""
    key_length: int | None = None
    """Width of one head's key."""
    value_length: int | None = None
    """Width of one head's value."""
    chat_template: str = ""
    """Jinja template of its messages; empty when the file carries none."""
    pooling: str = ""
    """How vectors of tokens become one: ``mean``, ``cls``, ``last``, or ``rank`` for a reranker; empty where it gives none."""
    parts: int = 1
    """Files that the model is split over."""


def read_header(path: Path | str) -> GGUFHeader:
    """The header of a file.

    Raises:
        InvalidInput: it is not there, not GGUF, of an unknown version, or cut off.
    """
    try:
        with Path(path).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            return parse_header(file, size, name=str(path))
    except OSError as error:
        raise InvalidInput(f"The weights file {path} can't be read: {error.strerror or error}.") from error


def parse_header(source: BinaryIO, size: int, *, name: str = "The file") -> GGUFHeader:
    """The header of ``size`` bytes that ``source`` stands at the start of; ``name`` is for messages.

    Raises:
        InvalidInput: as :func:`read_header`.
    """
    cursor = _Cursor(source, size, name)
    if (magic := cursor.take(min(4, size))) != b"GGUF":
        raise InvalidInput(f"{name} is not a GGUF file: it starts with {magic!r}, not with b'GGUF'.")
    version = cursor.number("<I")
    if version not in {2, 3}:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big") in {2, 3}
        what = "in big-endian byte order" if swapped else f"GGUF of version {version}"
        raise InvalidInput(f"{name} is {what}; little-endian versions 2 and 3 can be read.")
    tensors = cursor.count("tensors", at_least=24)
    entries = cursor.count("metadata entries", at_least=13)
    found: dict[str, Any] = {}
    for _ in range(entries):
        key = cursor.text(65_535)
        value = cursor.value(cursor.number("<I"), keep=_wanted(key))
        if value is not None:
            found[key] = value
    return _header(found, version, size, _check_tensors(cursor, tensors, found))


def _wanted(key: str) -> bool:
    # The tokenizer is most of the metadata and the engine's business alone; its chat template is not.
    return not key.startswith("tokenizer.") or key == "tokenizer.chat_template"


class _Cursor:
    """A place in the file that never passes its end."""

    def __init__(self, source: BinaryIO, size: int, name: str) -> None:
        self._source = source
        self.size = size
        self.name = name
        self._walked = 0
        self.at = 0

    def take(self, count: int) -> bytes:
        self._room(count)
        data = self._source.read(count)
        if len(data) != count:
            raise self.cut()
        self.at += count
        return data

    def skip(self, count: int) -> None:
        self._room(count)
        self._source.seek(count, 1)
        self.at += count

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def count(self, of: str, *, at_least: int) -> int:
        """A number of things that take ``at_least`` so many bytes each."""
        count: int = self.number("<Q")
        if count > _MAX_ENTRIES:
            raise InvalidInput(f"{self.name} is corrupt: it claims {count} {of}.")
        self._room(count * at_least)
        return count

    def text(self, limit: int) -> str:
        length: int = self.number("<Q")
        if length > limit:
            raise InvalidInput(f"{self.name} is corrupt: a text of {length} bytes, at byte {self.at}.")
        try:
            return self.take(length).decode()
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{self.name} is corrupt: a text that is not UTF-8, before byte {self.at}.") from error

    def value(self, kind: int, *, keep: bool, depth: int = 0) -> Any:
        """A metadata value; None for one that is not kept."""
        if kind == STRING:
            return self._string(keep=keep)
        if kind == ARRAY:
            return self._array(keep=keep, depth=depth)
        if kind not in SCALARS:
            raise InvalidInput(f"{self.name} is corrupt: value type {kind} does not exist, at byte {self.at}.")
        return self.number(SCALARS[kind])

    def cut(self) -> InvalidInput:
        return InvalidInput(f"{self.name} is cut off or corrupt: it ends at byte {self.size}, inside its header.")

    def _string(self, *, keep: bool) -> str | None:
        self._count_walk()
        if keep:
            return self.text(_MAX_KEPT)
        self.skip(self.number("<Q"))
        return None

    def _array(self, *, keep: bool, depth: int) -> tuple[Any, ...] | None:
        if depth >= _MAX_DEPTH:
            raise InvalidInput(f"{self.name} is corrupt: arrays within arrays, {depth} deep, at byte {self.at}.")
        self._count_walk()
        kind, length = self.number("<I"), self.number("<Q")
        if kind in SCALARS and keep and length <= _MAX_LIST:
            return tuple(self.number(SCALARS[kind]) for _ in range(length))
        if kind in SCALARS:
            self.skip(length * struct.calcsize(SCALARS[kind]))
            return None
        self._room(length * 8)  # the least that a text or an array takes
        for _ in range(length):
            self.value(kind, keep=False, depth=depth + 1)
        return None

    def _count_walk(self) -> None:
        self._walked += 1
        if self._walked > _MAX_WALKED:
            raise InvalidInput(f"{self.name} is corrupt: more than {_MAX_WALKED} texts in its metadata.")

    def _room(self, count: int) -> None:
        if count > self.size - self.at:
            raise self.cut()


def _check_tensors(cursor: _Cursor, count: int, found: dict[str, Any]) -> int:
    """Walk over the tensor table; the number of parameters. Raises when the data that it promises is not there."""
    parameters, end = 0, 0
    for elements, kind, offset in _tensors(cursor, count):
        parameters += elements
        block, width = BLOCKS.get(kind, (1, 0))
        end = max(end, offset + math.ceil(elements / block) * width)
    if parameters >= 1 << 63:
        raise InvalidInput(f"{cursor.name} is corrupt: its tensors claim {parameters:.0e} numbers.")
    alignment = found.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 0 < alignment <= 1 << 20:
        raise InvalidInput(f"{cursor.name} is corrupt: alignment {alignment!r}.")
    data = cursor.at + -cursor.at % alignment
    if count and data + end > cursor.size:
        missing = data + end - cursor.size
        raise InvalidInput(
            f"{cursor.name} is cut off: {missing} of {data + end} bytes are missing.", hint="Pull it again."
        )
    return parameters


def _tensors(cursor: _Cursor, count: int) -> Iterator[tuple[int, int, int]]:
    """Elements, type and offset of each tensor."""
    for _ in range(count):
        cursor.text(1_024)
        dimensions = cursor.number("<I")
        if dimensions > _MAX_DIMENSIONS:
            raise InvalidInput(f"{cursor.name} is corrupt: a tensor of {dimensions} dimensions.")
        elements = math.prod(cursor.number("<Q") for _ in range(dimensions))
        yield elements, cursor.number("<I"), cursor.number("<Q")


def _header(found: dict[str, Any], version: int, size: int, parameters: int) -> GGUFHeader:
    architecture = _text(found, "general.architecture")
    number = {key.removeprefix(f"{architecture}."): value for key, value in found.items()}
    layers = _whole(number.get("block_count"))
    heads = _whole(number.get("attention.head_count"))
    embedding = _whole(number.get("embedding_length"))
    width = embedding // heads if embedding and heads else None
    file_type = found.get("general.file_type")
    return GGUFHeader(
        version=version,
        size=size,
        architecture=architecture,
        kind=_text(found, "general.type") or "model",
        name=_text(found, "general.name"),
        licence=_text(found, "general.license"),
        quantisation=FILE_TYPES.get(file_type, "") if isinstance(file_type, int) else "",
        parameters=parameters,
        context_length=_whole(number.get("context_length")),
        layers=layers,
        embedding=embedding,
        heads=heads,
        kv_heads=_per_layer(number.get("attention.head_count_kv"), heads, layers),
        key_length=_whole(number.get("attention.key_length")) or width,
        value_length=_whole(number.get("attention.value_length")) or width,
        chat_template=_text(found, "tokenizer.chat_template"),
        pooling=_POOLING.get(_whole(number.get("pooling_type")) or 0, ""),
        parts=_whole(found.get("split.count")) or 1,
    )


def _text(found: dict[str, Any], key: str) -> str:
    value = found.get(key, "")
    return value if isinstance(value, str) else ""


def _whole(value: Any) -> int | None:
    """A number above 0; the largest of an array; None for anything else."""
    if isinstance(value, tuple):
        value = max((item for item in value if isinstance(item, int)), default=None)
    return value if type(value) is int and 0 < value < 1 << 32 else None


def _per_layer(value: Any, heads: int | None, layers: int | None) -> tuple[int, ...]:
    """Key-value heads by layer; models without grouped attention have as many as heads."""
    if isinstance(value, tuple):
        return tuple(item for item in value if isinstance(item, int) and 0 <= item < 1 << 16)
    each = _whole(value) or heads
    return (each,) * min(layers, _MAX_LIST) if each and layers else ()
