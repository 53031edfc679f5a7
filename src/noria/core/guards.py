"""Guards: checks of a call while it is made, and what follows from what they find.

A guard judges texts, as a scorer does, and knows nothing of deadlines and consequences; the rule that puts it into force
has those.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal, Protocol

import msgspec

from noria.core.errors import Unavailable
from noria.core.replies import Reply
from noria.core.requests import Request
from noria.core.struct import Noun

GUARDS = "noria.guards"
"""Attribute: what guards found, and what was done about it."""

Place = Literal["input", "stream", "output"]
"""Before the call; on the reply while it streams; on the whole reply, before its end leaves."""
Policy = Literal["block", "redact", "flag", "shadow"]
"""Refuse the call; put something else in the place of what was found; note it on the record; note it too, but let no call
wait for it."""


Ask = Callable[[Request], Awaitable[Reply]]
"""Calls a model for a guard."""


async def nobody(_: Request) -> Reply:
    """Where no model can be asked. Raises ``Unavailable``."""
    raise Unavailable("No model can be asked here.")


class Checked(Noun):
    """A text that a guard looks at."""

    text: str
    """The text; on a stream what is held back, of which nothing has left."""
    place: Place
    """Where the guard stands."""
    kind: str = "text"
    """What it is: ``text``, ``reasoning``, ``refusal`` or ``tool_call`` (arguments, JSON as the model wrote it)."""
    role: str = "assistant"
    """Who says it."""
    before: str = ""
    """On a stream: the end of what has left already, so that a pattern can look behind."""
    final: bool = True
    """False where more of the text may follow."""
    request: Request
    """The call."""
    # it can't be written as JSON, which every noun's schema has to say
    ask: Annotated[Ask, msgspec.Meta(extra_json_schema={"not": {}})] = msgspec.field(default_factory=lambda: nobody)
    """Calls a model for the guard: recorded in the trace of the call that is checked, on its account and within its limits, and
    looked at by no guard. Raises ``CallFailed`` where it does not answer."""


class Flaw(Noun):
    """What a guard found in a text."""

    reason: str
    """What is wrong, in words that do not repeat it: they go on record and to the caller."""
    start: int = 0
    """Where it begins in the text, characters from 0."""
    end: int = 0
    """Where it ends, exclusive; 0 where the text is wrong as a whole."""
    instead: str = "[removed]"
    """What to put in its place, where the rule says so."""


class Guard(Protocol):
    """A check of texts."""

    @property
    def name(self) -> str:
        """Its name in records."""
        ...

    @property
    def version(self) -> str:
        """Its kind, the version of its code, and a digest of its options."""
        ...

    @property
    def reach(self) -> int | None:
        """Most characters from the beginning of a flaw to the last one that is needed to see it; None for any number.

        So much of a stream is held back. With None all of it is, because only the whole text can be judged.
        """
        ...

    async def check(self, checked: Checked) -> Sequence[Flaw]:
        """What is wrong with the text, in order, nothing overlapping. Runs under the rule's deadline."""
        ...


class GuardRule(Noun, forbid_unknown_fields=True):
    """A guard in force."""

    kind: str
    """Kind of guard: an entry point of ``noria.guards``."""
    name: str = ""
    """Name in records; by default the kind's."""
    on: tuple[str, ...] = ("*",)
    """Apps, their variants (``app@variant``) and models whose calls it checks; ``provider/*`` and ``*`` stand for many."""
    places: tuple[Place, ...] = ("input", "output")
    """Where it checks."""
    policy: Policy = "block"
    """What follows from a flaw."""
    deadline_s: float = 1.0
    """Seconds that one check may take."""
    late: Literal["block", "pass"] = "block"
    """What follows from a check that failed or took longer: the call is refused, or goes on unchecked, which is noted."""
    options: dict[str, Any] = {}
    """The kind's options."""

    @property
    def title(self) -> str:
        """Its name in records."""
        return self.name or self.kind
