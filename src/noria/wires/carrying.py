"""What a dialect can't carry: refused with a sentence, or left out where the caller allows it, and then reported."""

from __future__ import annotations

from noria.core.errors import InvalidInput
from noria.core.messages import AudioPart, BlobPart, FilePart, ImagePart
from noria.core.requests import Request

THINKING = "thinking"
"""Name of what a model thought in earlier turns; how much it is to think now is ``reasoning``."""
IS_ERROR = "is_error"
"""Name of the mark on a tool's result that the tool failed; the words that say how are always carried."""
CITATIONS = "citations"
"""Name of what a model's earlier words rest on."""
FILENAME = "filename"
"""Name of what a file is called; the file itself is always carried, or refused as ``file``."""
FORBIDDEN = "none"
"""What a caller writes into ``noria-may-drop`` who wants nothing to be left out, not even that."""


def elsewhere(part: BlobPart) -> InvalidInput:
    """The error of whoever is to send a part that no record holds any more."""
    return InvalidInput(
        f"A part of {part.bytes:,} bytes was moved out of its record, and can't be sent from there.",
        hint=f"Fetch blob {part.sha256} and send what it holds.",
    )


class Carrying:
    """Notes, while one request is written, what becomes of each thing it asks for.

    Arguments:
        request: whose ``may_drop`` decides.
        to: the dialect's name, for people: ``Anthropic``.
    """

    def __init__(self, request: Request, to: str) -> None:
        self._may_drop = request.may_drop
        self._to = to
        self.dropped: tuple[str, ...] = ()
        """What was left out."""
        self.emulated: tuple[str, ...] = ()
        """What is done in another way."""

    def cannot(self, name: str, why: str = "") -> None:
        """Something can't be carried: return where it may be left out, else raise.

        Arguments:
            name: what, as the nouns name it: ``seed``, ``logprobs``, ``n``, ``audio``, ``image``, ``file``, ``tools``.
            why: a clause for people, such as ``Anthropic has no seed``.

        Raises:
            InvalidInput: 400, with the name and what to do.
        """
        if "*" not in self._may_drop and name not in self._may_drop:
            raise InvalidInput(
                f"`{name}` can't be carried to {self._to}{': ' + why if why else ''}.",
                kept="Nothing was sent.",
                hint=f"Leave it out, call another model, or allow it to be left out: noria-may-drop: {name}.",
            )
        if name not in self.dropped:
            self.dropped += (name,)

    def forgets(self, why: str, name: str = THINKING) -> None:
        """What only its own provider takes back of an earlier turn is left out, and said to be, without anybody's leave.

        It is of use to the provider that sealed it alone, and every provider answers without it: a conversation can go on
        with another one's model. So is what only goes with what is carried. A caller forbids it with ``noria-may-drop: none``.

        Arguments:
            why: as above.
            name: ``thinking``, ``citations`` of what the model said, ``is_error`` of what a tool said, or ``filename``.

        Raises:
            InvalidInput: the caller has forbidden it.
        """
        if FORBIDDEN in self._may_drop:
            self.cannot(name, why)
        elif name not in self.dropped:
            self.dropped += (name,)

    def unnamed(self, part: ImagePart | AudioPart | FilePart) -> None:
        """A file goes without its name, where it has one."""
        if part.name:
            self.forgets(f"{self._to} takes no names of such files", FILENAME)

    def foreign(self, wire: str, request: Request) -> dict[str, object]:
        """Fields of the caller's wire without a noun: handed back for the same wire, refused or dropped for another.

        A message's are refused or dropped too, and left on the message for the same wire to write. A field that says no
        or leaves it to the provider (``store: false``, ``service_tier: auto``) asks for nothing.
        """
        if request.wire == wire or not request.wire:
            return dict(request.unread)
        for unread in (request.unread, *(message.unread for message in request.messages)):
            for name, value in unread.items():
                if value and value != "auto":
                    self.cannot(name)
        return {}

    def emulates(self, name: str) -> None:
        """Something that the dialect lacks is done in another way."""
        if name not in self.emulated:
            self.emulated += (name,)
