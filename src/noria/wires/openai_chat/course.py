"""What one choice of a stream may not do: begin again, or go on after it has said why it ended.

Chunks have no numbers. A second beginning shows where a server names the role in its first chunk alone, as OpenAI does,
and then names it again in front of the same words. Many servers name the role in every chunk: there a beginning that
comes again can't be told from words that the model repeats. Nor can one with other words, or with another id: proxies
let another model go on with an answer that broke off, and that looks the same.
"""

from __future__ import annotations

from noria.core.errors import CallGarbled
from noria.wires.openai_chat.shapes import AnswerShape, ChoiceShape


class Course:
    """Follows one choice."""

    def __init__(self) -> None:
        self._opening: list[AnswerShape] = []
        """What came up to the first words."""
        self._said = False
        self._bare = False
        """Words came without a role."""
        self._matched = 0
        """How much of the opening has just come again."""
        self._repeated = False
        self._reason = False
        self._reason_in_all = False
        """The first words came with a reason already, as from servers that write one into every chunk."""

    @property
    def goes_on(self) -> bool:
        """More words and nothing else have nothing to be checked for, however many there are."""
        return self._bare and not (self._matched or self._reason)

    def take(self, choice: ChoiceShape, answer: AnswerShape) -> None:
        """Take the next chunk's part. Raises ``CallGarbled``."""
        if self.goes_on and not answer.role and not choice.finish_reason:
            return  # as most are
        says = _says(answer)
        words = answer.content or answer.reasoning_content or answer.reasoning
        if words and self._reason and not self._reason_in_all:
            raise CallGarbled("The provider went on with an answer after it had said why that had ended.")
        if self._said:
            self._match(answer)
        else:
            self._opening.append(answer)
            self._said, self._reason_in_all = says, says and bool(choice.finish_reason)
        self._bare = self._bare or (says and not answer.role)
        self._reason = self._reason or bool(choice.finish_reason)
        if self._repeated and self._bare:
            raise CallGarbled("The provider's stream began again before the reply was complete.")

    def _match(self, answer: AnswerShape) -> None:
        opening = self._opening
        if answer != opening[self._matched]:
            self._matched = 0
        if answer == opening[self._matched] and (self._matched or answer.role):
            self._matched += 1
        if self._matched == len(opening):
            self._matched, self._repeated = 0, True


def _says(answer: AnswerShape) -> bool:
    """Whether there is more to it than a role and empty fields."""
    return any(getattr(answer, name) for name in AnswerShape.__struct_fields__ if name != "role")
