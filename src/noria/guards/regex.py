"""Finds what matches a pattern.

Python's ``re`` can take exponential time on a hostile text and cannot be interrupted, so a pattern runs in the ``regex``
package, which understands the same patterns and stops at a deadline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from noria.core.errors import InvalidInput, NoriaError
from noria.core.guards import Checked, Flaw, Guard
from noria.guards.kind import GuardKind, GuardOptions

if TYPE_CHECKING:
    import regex


class RegexOptions(GuardOptions):
    """The pattern, and what it stands for."""

    pattern: Annotated[str, Meta(min_length=1, max_length=10_000)]
    """Regular expression, Python's syntax."""
    meaning: str = "a forbidden text"
    """What a match is, for people: ``a card number``."""
    instead: str = "[removed]"
    """What to put in the place of a match."""
    ignore_case: bool = False
    """Match without regard to case."""
    reach: Annotated[int, Meta(ge=1, le=100_000)] = 128
    """Longest match, characters, with what the pattern looks ahead at. On a stream longer ones may be seen too late."""
    timeout_s: Annotated[float, Meta(gt=0, le=2)] = 0.25
    """Longest search of one text, seconds."""


@dataclass(frozen=True)
class _Regex:
    name: str
    version: str
    reach: int | None
    options: RegexOptions
    pattern: regex.Pattern[str]

    async def check(self, checked: Checked) -> Sequence[Flaw]:
        """Every match that is not empty."""
        whole, begin = checked.before + checked.text, len(checked.before)
        reason, instead = f"It holds {self.options.meaning}.", self.options.instead
        try:
            found = self.pattern.finditer(whole, pos=begin, timeout=self.options.timeout_s)
            spans = [match.span() for match in found]
        except TimeoutError:
            raise NoriaError(f"The pattern of guard {self.name!r} was not done in time.") from None
        return [
            Flaw(reason=reason, start=start - begin, end=end - begin, instead=instead)
            for start, end in spans
            if end > start
        ]


def make(name: str, version: str, options: RegexOptions) -> Guard:
    """Compile once. Raises ``InvalidInput`` when the pattern is none."""
    import regex  # noqa: PLC0415 - only those who match patterns pay for it

    try:
        pattern = regex.compile(options.pattern, regex.IGNORECASE if options.ignore_case else 0)
    except regex.error as error:
        raise InvalidInput(f"The pattern of guard {name!r} is wrong: {error}.") from None
    return _Regex(name, version, options.reach, options, pattern)


KIND = GuardKind(description="Finds what matches a pattern.", options=RegexOptions, make=make)
