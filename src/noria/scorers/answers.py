"""Answers as JSON."""

from __future__ import annotations

import re
from typing import Any

import msgspec

_FENCE = re.compile(r"\A\s*```[\w-]*[ \t]*\n(.*?)\n?[ \t]*```\s*\Z", re.DOTALL)


class NotJson(ValueError):
    """The answer is not JSON; the message says why, in words for a score's reason."""


def parsed(text: str, *, fenced: bool) -> Any:
    """The JSON value that an answer is (RFC 8259: no NaN, no comments, no text around it).

    Arguments:
        fenced: accept an answer that is one Markdown code block, as chat models like to write.

    Raises:
        NotJson: it is none.
    """
    block = _FENCE.match(text) if fenced else None
    try:
        return msgspec.json.decode((block[1] if block else text).encode("utf-8", "surrogatepass"))
    except RecursionError:
        raise NotJson("The answer is nested too deep.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        what = "empty" if not text.strip() else f"not JSON: {error}"
        raise NotJson(f"The answer is {what}.") from None
