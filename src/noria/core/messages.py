"""Messages: what is said to a model, and by it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from noria.core.struct import Noun

Role = Literal["system", "developer", "user", "assistant", "tool"]


CacheLife = Literal["5m", "1h"]
"""How long a provider keeps what was marked for its prompt cache, in Anthropic's words."""


class Citation(Noun):
    """Where a piece of an answer is from, as the provider says."""

    url: str = ""
    """Address of the source, where it has one."""
    title: str = ""
    """Title of the source."""
    cited: str = ""
    """The source's own words."""
    document: int | None = None
    """Which document of the request, from 0."""
    start: int | None = None
    """Where in its text the claim begins, characters from 0; None where the provider does not say."""
    end: int | None = None
    """Where it ends, exclusive."""
    data: dict[str, Any] = {}
    """The citation exactly as it came, for the wire that knows it."""


class TextPart(Noun, tag="text", tag_field="type"):
    """A piece of text in a message of several parts."""

    text: str
    """The text itself."""
    citations: tuple[Citation, ...] = ()
    """What the text rests on, in a model's answer; each counts in this text."""
    cache: CacheLife | None = None
    """The provider is asked to cache the prompt up to here."""


class ImagePart(Noun, tag="image", tag_field="type"):
    """An image in a message."""

    url: str
    """An ``https:`` or ``data:`` URL."""
    detail: str | None = None
    """Resolution hint, as the OpenAI wire names it: ``low``, ``high`` or ``auto``."""
    name: str | None = None
    """Name of the file."""
    cache: CacheLife | None = None
    """The provider is asked to cache the prompt up to here."""


class FilePart(Noun, tag="file", tag_field="type"):
    """A document in a message, mostly a PDF."""

    url: str
    """An ``https:`` or ``data:`` URL, which names the media type."""
    name: str | None = None
    """Name of the file, or title of the document."""
    media_type: str | None = None
    """Media type where an ``https:`` URL does not say it, such as ``application/pdf``."""
    cite: bool = False
    """The model is asked to cite it."""
    cache: CacheLife | None = None
    """The provider is asked to cache the prompt up to here."""


class AudioPart(Noun, tag="audio", tag_field="type"):
    """Recorded sound in a message."""

    data: str
    """The bytes in base64."""
    format: str
    """``wav``, ``mp3``, ``flac`` ...: the subtype of ``audio/``."""
    name: str | None = None
    """Name of the file."""


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


Part = TextPart | ImagePart | FilePart | AudioPart | OtherPart | BlobPart


class Thought(Noun):
    """A block of thinking that goes back to its provider as it came: changed or left out, its signature fails."""

    text: str = ""
    """The thinking, or its summary, where the provider shows it."""
    signature: str = ""
    """The provider's seal on it, or its encrypted form."""
    redacted: bool = False
    """The provider hides the text; ``signature`` is then all there is."""
    id: str = ""
    """The provider's id of the block."""
    at: int = 0
    """How many parts and tool calls of its message come before it, as in ``Message.pieces``."""
    format: str = ""
    """How it is sealed, where the wire has a word for it: ``anthropic-claude-v1`` and others of OpenRouter's."""


class ToolCall(Noun):
    """A function call that the model asks for."""

    id: str
    """The call's id, echoed by the tool message that answers it."""
    name: str
    """The function's name."""
    arguments: str
    """JSON text as the model wrote it, which may not be valid JSON."""
    signature: str = ""
    """The provider's seal on the thinking behind the call, to be sent back with it."""
    custom: bool = False
    """``arguments`` is a text in a form of its own and no JSON: the tool takes any text (OpenAI's custom tools)."""
    cache: CacheLife | None = None
    """The provider is asked to cache the prompt up to here."""
    at: int | None = None
    """How many parts of its message come before it; None for all of them."""


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
    tool_failed: bool = False
    """For a ``tool`` message: the tool failed, and the content says how."""
    reasoning: str = ""
    """Thinking text that a model shows apart from its answer; of all ``thoughts`` together where there are some."""
    thoughts: tuple[Thought, ...] = ()
    """The same thinking in its provider's blocks, where they are sealed."""
    refusal: str = ""
    """The model's own words of refusal, where the wire keeps them apart."""
    unread: dict[str, Any] = {}
    """Fields of the caller's wire without a noun, as in :class:`noria.core.requests.Request`."""

    @property
    def text(self) -> str:
        """All text of the message, parts joined; images and other parts leave no trace."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def pieces(self) -> tuple[Part | ToolCall, ...]:
        """Parts and tool calls in the order in which they were said. An empty plain text is no part."""
        if isinstance(self.content, str):
            parts: tuple[Part, ...] = (TextPart(text=self.content),) if self.content else ()
        else:
            parts = self.content
        if all(call.at is None for call in self.tool_calls):
            return (*parts, *self.tool_calls)
        found: list[Part | ToolCall] = []
        calls = list(self.tool_calls)
        for place, part in enumerate(parts):
            while calls and calls[0].at is not None and calls[0].at <= place:
                found.append(calls.pop(0))
            found.append(part)
        return (*found, *calls)


def parted(pieces: Iterable[Part | ToolCall]) -> tuple[tuple[Part, ...], tuple[ToolCall, ...]]:
    """The parts and the tool calls of what was said in this order: the reverse of ``Message.pieces``."""
    parts: list[Part] = []
    calls: list[tuple[ToolCall, int]] = []
    for piece in pieces:
        if isinstance(piece, ToolCall):
            calls.append((piece, len(parts)))
        else:
            parts.append(piece)
    placed = (msgspec.structs.replace(call, at=at) if at < len(parts) else call for call, at in calls)
    return tuple(parts), tuple(placed)
