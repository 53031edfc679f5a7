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
