"""What a guard's module offers to the registry: a :class:`GuardKind`, from which guards are made.

A plug-in does what the built-ins do: it defines a :class:`GuardKind` and names it in its ``noria.guards`` entry points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from noria.core.guards import Guard
from noria.core.struct import Noun


class GuardOptions(Noun, forbid_unknown_fields=True):
    """Base of every kind's options."""


O = TypeVar("O", bound=GuardOptions)  # noqa: E741 - the one type that the generics of this file vary


@dataclass(frozen=True)
class GuardKind(Generic[O]):
    """A way to check, from which guards with different options are made."""

    description: str
    """What it finds, one line."""
    options: type[O]
    """Its options, with their defaults."""
    make: Callable[[str, str, O], Guard]
    """Makes a guard of a name, a version and options, quickly: a configuration is tried by it. May raise ``InvalidInput``."""
    version: str = "1"
    """Version of its code: raised whenever the same options may find something else."""
