"""The one base of every noun: immutable, keyword-only, and silent about defaults.

Leaving defaults out of the encoded form keeps content ids stable when a noun gains an optional field.
"""

from __future__ import annotations

from typing import dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Noun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of Noria's values. Compare by content, change with :func:`msgspec.structs.replace`."""
