"""Secrets taken out of sentences that come from elsewhere.

Some providers repeat a key in their error, and not always the one that was sent: a proxy may hold several, and an environment is
shared. So every secret that this process knows is looked for. What is shorter than :data:`SHORTEST` is left: it would be found in
words.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from noria.core.errors import NoriaError

SHORTEST = 8
"""Characters of the shortest secret that is looked for."""
INSTEAD = "[key]"
"""What stands in the place of one."""


class Secrets:
    """All secrets that this process knows. They are compared with, and shown to nobody."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self.add(*values)

    def add(self, *values: str) -> None:
        """Look for these too, from now on."""
        for value in values:
            for form in {value.strip(), quote(value.strip(), safe="")}:
                if len(form) >= SHORTEST:
                    self._values.add(form)

    def redacted(self, text: str) -> str:
        """``text`` without any of them; the longest first, since one may be the beginning of another."""
        for value in sorted((value for value in self._values if value in text), key=len, reverse=True):
            text = text.replace(value, INSTEAD)
        return text

    def redact(self, error: NoriaError) -> None:
        """Take them out of an error's sentences."""
        error.message, error.hint, error.kept, error.inside = map(
            self.redacted, (error.message, error.hint, error.kept, error.inside)
        )
        error.args = (error.message,)

    def __repr__(self) -> str:
        return f"<{len(self._values)} secrets>"
