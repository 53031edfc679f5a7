"""The time that a noun gets when it comes without one."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from noria.core.models import LocalModel
from noria.core.monitors import Monitor
from noria.core.protocols import Clock

S = TypeVar("S", LocalModel, Monitor)


def stamped(noun: S, now: Clock) -> S:
    """``noun`` with ``created_ns`` set."""
    return noun if noun.created_ns else msgspec.structs.replace(noun, created_ns=now())
