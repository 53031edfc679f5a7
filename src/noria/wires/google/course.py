"""What a stream of Google's may not do: begin again, with the same words or as another response.

Its pieces have no numbers. A second beginning shows where the response's id changes, or where the first piece comes again
although more tokens had been counted by then, or comes twice in a row with the same count: Google counts all that was
generated so far, so words that the model repeats have another. Pieces without counts, such as Vertex AI's, that come again
under the same id can't be told from them.
"""

from __future__ import annotations

from noria.core.errors import CallGarbled
from noria.wires.google.shapes import AnswerShape, ReplyShape, UsageShape

_KNOWN_BY = 2
"""Pieces with the same id from which on another id is another response: some servers make one for each piece."""


class Course:
    """Follows one stream."""

    def __init__(self) -> None:
        self._id = ""
        self._pieces = 0
        """How many of them had that id."""
        self._first = b""
        self._first_tokens = 0
        self._tokens = 0
        self._in_a_row = True
        """Nothing but the first piece has come."""

    def take(self, data: bytes, shape: ReplyShape) -> None:
        """Take the next piece. Raises ``CallGarbled``."""
        id, tokens = shape.response_id or "", _generated(shape.usage_metadata)
        if id and id != self._id:
            if self._pieces >= _KNOWN_BY:
                raise CallGarbled("The provider's stream went on with another response before the first was complete.")
            self._id, self._pieces = id, 0
        self._pieces += bool(id)
        if not self._first:
            self._first, self._first_tokens = data, tokens
        elif data == self._first and (self._tokens > self._first_tokens or self._stands_still(shape)):
            raise CallGarbled("The provider's stream began again before the reply was complete.")
        else:
            self._in_a_row = False
        self._tokens = max(self._tokens, tokens)

    def _stands_still(self, shape: ReplyShape) -> bool:
        """Whether there are words in a piece and no token was counted for them.

        Asked of the second piece alone, since a server may write one count into all of them.
        """
        return self._in_a_row and self._first_tokens > 0 and _says(shape)


def _says(shape: ReplyShape) -> bool:
    parts = (part for candidate in shape.candidates or () for part in (candidate.content or AnswerShape()).parts or ())
    return any(part.get("text") or len(part.keys() - {"text", "thought"}) for part in parts)


def _generated(usage: UsageShape | None) -> int:
    """Tokens so far, as the provider counts."""
    return 0 if usage is None else (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
