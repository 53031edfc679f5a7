"""The one base of every noun: immutable, keyword-only, and silent about defaults.

Leaving defaults out of the encoded form keeps content ids stable when a noun gains an optional field.
"""

from __future__ import annotations

from typing import Any, dataclass_transform

import msgspec


class _NounMeta(msgspec.StructMeta):
    """msgspec inherits every struct option but ``kw_only``; this makes it hold for all nouns."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> _NounMeta:
        options.setdefault("kw_only", True)
        return super().__new__(mcls, name, bases, namespace, **options)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Noun(msgspec.Struct, metaclass=_NounMeta, frozen=True, omit_defaults=True):
    """Base of Noria's values. Compare by content, change with :func:`msgspec.structs.replace`."""


def spelt_out(value: Any) -> Any:
    """``value`` as JSON-like builtins with every field of every noun, defaults too: what a reader from outside expects.

    Nouns leave defaults out where they are stored and hashed; a program that reads ``status`` should not have to know
    that a missing one means ``ok``.
    """
    if isinstance(value, msgspec.Struct):
        config = value.__struct_config__
        tag = {config.tag_field: config.tag} if config.tag_field is not None else {}
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        return tag | {written: spelt_out(getattr(value, name)) for name, written in names}
    if isinstance(value, dict):
        return {key: spelt_out(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [spelt_out(item) for item in value]
    return value
