"""Messages: what is said to a model, and by it."""

from __future__ import annotations

from typing import Any, Literal

from noria.core.struct import Noun

Role = Literal["system", "developer", "user", "assistant", "tool"]


class TextPart(Noun, tag="text", tag_field="type"):
    """A piece of text in a message of several parts."""

    text: str
    """The text itself."""


class ImagePart(Noun, tag="image", tag_field="type"):
    """An image in a message."""

    url: str
    """An ``https:`` or ``data:`` URL."""
    detail: str | None = None
    """Resolution hint, as the OpenAI wire names it: ``low``, ``high`` or ``auto``."""


class OtherPart(Noun, tag="other", tag_field="type"):
    """A part that Noria has no noun for yet, kept whole so that a wire that knows it loses nothing."""

    data: dict[str, Any]
    """The part exactly as it came."""


class BlobPart(Noun, tag="blob", tag_field="type"):
    """A part too large for a record: its bytes are in the blob store."""

    sha256: str
    """The blob's name: 64 hex digits."""
    bytes: int
    """Its size."""
    media_type: str = "text/plain; charset=utf-8"
    """What the bytes are."""
    preview: str = ""
    """How a text begins, so that a list of records stays readable."""


Part = TextPart | ImagePart | OtherPart | BlobPart


class ToolCall(Noun):
    """A function call that the model asks for."""

    id: str
    """The call's id, echoed by the tool message that answers it."""
    name: str
    """The function's name."""
    arguments: str
    """JSON text as the model wrote it, which may not be valid JSON."""


class Message(Noun):
    """One turn of a conversation."""

    role: Role
    """Who speaks."""
    content: str | tuple[Part, ...] = ""
    """What is said: plain text, or parts."""
    name: str | None = None
    """The speaker's name, where a wire carries one."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Calls that an assistant message asks for."""
    tool_call_id: str | None = None
    """For a ``tool`` message: the call it answers."""
    reasoning: str = ""
    """Thinking text that a model shows apart from its answer."""
    refusal: str = ""
    """The model's own words of refusal, where the wire keeps them apart."""

    @property
    def text(self) -> str:
        """All text of the message, parts joined; images and other parts leave no trace."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))
