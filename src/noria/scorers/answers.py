"""Answers as JSON."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE

_FENCE = "```"
_OPENING = re.compile(_FENCE + r"[\w-]*[ \t]*")


class NotJson(ValueError):
    """The answer is not JSON; the message says why, in words for a score's reason."""


def parsed(text: str, *, fenced: bool) -> Any:
    """The JSON value that an answer is (RFC 8259: no NaN, no comments, no text around it).

    Arguments:
        fenced: accept an answer that is one Markdown code block, as chat models like to write.

    Raises:
        NotJson: it is none.
    """
    block = unfenced(text) if fenced else text
    try:
        return msgspec.json.decode(block.encode("utf-8", "surrogatepass"))
    except RecursionError:
        raise NotJson("The answer is nested too deep.") from None
    except UNREADABLE as error:
        what = "empty" if not text.strip() else f"not JSON: {error}"
        raise NotJson(f"The answer is {what}.") from None


def unfenced(text: str) -> str:
    """What stands in the code block that ``text`` is; ``text`` itself where it is none.

    Without a pattern over the whole text: one was seen to take 13 seconds with an answer of 100,000 spaces.
    """
    opening, _, rest = text.strip().partition("\n")
    if _OPENING.fullmatch(opening) and rest.endswith(_FENCE):
        return rest.removesuffix(_FENCE)
    return text
