"""A guard from outside of Noria: nobody shouts."""

from collections.abc import Sequence
from dataclasses import dataclass

from noria.core.guards import Checked, Flaw
from noria.guards.kind import GuardKind, GuardOptions


class WhisperOptions(GuardOptions):
    """What shouting is."""

    mark: str = "!"
    """A character that shouts."""


@dataclass(frozen=True)
class Whisper:
    name: str
    version: str
    mark: str
    reach: int | None = 1

    async def check(self, checked: Checked) -> Sequence[Flaw]:
        """Every mark."""
        places = [at for at, letter in enumerate(checked.text) if letter == self.mark]
        return [Flaw(reason="It shouts.", start=at, end=at + 1, instead=".") for at in places]


KIND = GuardKind("Nobody shouts.", WhisperOptions, lambda name, version, options: Whisper(name, version, options.mark))
