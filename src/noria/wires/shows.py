"""What a wire has a place for in its replies: all else that a model says can't be shown to callers of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from noria.core.messages import AudioPart, BlobPart, FilePart, OtherPart, Part, TextPart
from noria.core.replies import Reply
from noria.wires.images import image_of

ANSWERS = frozenset({"image", "audio", "file"})
"""Names of what may be the answer itself, so that it is no answer without them."""


class Shows(NamedTuple):
    """The places of one wire."""

    part: Callable[[Part], bool]
    """Whether it has a place for a part of what a model says."""
    several: bool = True
    """It can give several answers to one request."""
    logprobs: bool = True
    """It can give log-probabilities."""

    def lacks(self, reply: Reply) -> Iterator[str]:
        """Names of what a reply holds and the wire has no place for, some of them more than once."""
        if not self.several and len(reply.choices) > 1:
            yield "n"
        for choice in reply.choices if self.several else reply.choices[:1]:
            if not self.logprobs and choice.logprobs:
                yield "logprobs"
            if not isinstance(choice.message.content, str):
                yield from (named(part) for part in choice.message.content if not self.part(part))


_NAMES = {AudioPart: "audio", FilePart: "file", TextPart: "text", BlobPart: "blob"}


def named(part: Part) -> str:
    """What a part is called: by its noun, and where there is none, as its wire calls it."""
    if image_of(part) is not None:
        return "image"
    if not isinstance(part, OtherPart):
        return _NAMES[type(part)]
    kind = part.data.get("type")
    return kind if isinstance(kind, str) else next(iter(part.data), "part")
