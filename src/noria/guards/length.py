"""Finds texts that are too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from noria.core.guards import Checked, Flaw, Guard
from noria.guards.kind import GuardKind, GuardOptions


class LengthOptions(GuardOptions):
    """How long is too long."""

    characters: Annotated[int, Meta(ge=1)]
    """Most characters of one text: a message of the request, or an answer."""


@dataclass(frozen=True)
class _Length:
    name: str
    version: str
    reach: int | None
    characters: int

    async def check(self, checked: Checked) -> Sequence[Flaw]:
        """The part that is too much. On a stream it sees what is held back, which is all there is."""
        if len(checked.text) <= self.characters:
            return ()
        reason = f"It has more than {self.characters:,} characters."
        return (Flaw(reason=reason, start=self.characters, end=len(checked.text), instead="..."),)


def make(name: str, version: str, options: LengthOptions) -> Guard:
    """Nothing but the number; a stream has to be whole before its length is known."""
    return _Length(name, version, None, options.characters)


KIND = GuardKind(description="Finds texts that are too long.", options=LengthOptions, make=make)
