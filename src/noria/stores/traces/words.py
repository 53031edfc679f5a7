r"""Words: what a search text means, and what it finds. Every store must find the same.

A text is lowered, character by character; then each run of ASCII letters and digits is a word, and each other letter
(Unicode's categories L*) is a word of its own, so that scripts without spaces can be searched. Everything else separates.
It works on texts as they were said: not on JSON, where ``\n`` before ``foo`` would make ``nfoo`` of it.

SQL can do the same: ``lower`` of DuckDB maps the same characters, and :func:`pattern` is a regular expression of RE2.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from noria.core.errors import InvalidInput
from noria.core.messages import BlobPart, Message, TextPart
from noria.core.spans import Span

MOST = 100
"""Words of a search text; a regular expression of more is slow to make, and at some length refused."""
LONGEST = 1_000
"""Characters of one of them."""

Phrase = tuple[str, ...]
"""Words that must follow one another; a word alone is a phrase of one."""

_PIECES = re.compile(r"[0-9a-z]+|[^\x00-\x7f]")
_BETWEEN = r"[^0-9a-z\p{L}]"


def fold(text: str) -> str:
    """Lower case, one character for one: ``str.lower`` makes two of ``İ``, and looks around a ``Σ``."""
    return text.replace("İ", "i").replace("Σ", "σ").lower()


def words(text: str) -> list[str]:
    """The words of a text, in order."""
    return [piece for piece in _PIECES.findall(fold(text)) if piece.isalpha() or piece.isascii()]


def phrases(text: str) -> tuple[Phrase, ...]:
    """What a search text asks for: quoted parts, and what white space separates, each once.

    Raises:
        InvalidInput: it has no word, too many, or one that is too long.
    """
    parts = text.split('"')
    chunks = [chunk for index, part in enumerate(parts) for chunk in ([part] if index % 2 else part.split())]
    found = tuple(dict.fromkeys(phrase for chunk in chunks if (phrase := tuple(words(chunk)))))
    if not found:
        raise InvalidInput("The search text has no word.", hint="A word has letters or digits.")
    if sum(map(len, found)) > MOST:
        raise InvalidInput(f"A search text has at most {MOST} words.")
    if any(len(word) > LONGEST for phrase in found for word in phrase):
        raise InvalidInput(f"A word of a search text has at most {LONGEST:,} characters.")
    return found


def texts(span: Span) -> Iterator[str]:
    """Every text of a span that a search looks at. No phrase reaches from one into the next."""
    yield span.name
    yield span.tool_name or ""
    yield span.error_message or ""
    for message in (*span.input, *span.output):
        yield from _said(message)
    for document in span.documents:
        yield document.text


def found(span: Span, asked: Sequence[Phrase]) -> bool:
    """Whether all phrases occur in the texts of a span."""
    lines = ["\n".join(["", *words(text), ""]) for text in texts(span)]
    return all(any("\n".join(["", *phrase, ""]) in line for line in lines) for phrase in asked)


def pattern(phrase: Phrase) -> str:
    """A regular expression (RE2) that matches a lowered text just where the phrase occurs in it."""
    made = ["(?:^|[^0-9a-z])" if phrase[0].isascii() else "", phrase[0]]
    for before, word in itertools.pairwise(phrase):
        made += [_BETWEEN, "+" if before.isascii() and word.isascii() else "*", word]
    made.append("(?:$|[^0-9a-z])" if phrase[-1].isascii() else "")
    return "".join(made)


def _said(message: Message) -> Iterator[str]:
    if isinstance(message.content, str):
        yield message.content
    else:
        for part in message.content:
            if isinstance(part, TextPart):
                yield part.text
            elif isinstance(part, BlobPart):
                yield part.preview
    yield message.reasoning
    yield message.refusal
    for call in message.tool_calls:
        yield call.name
        yield call.arguments
