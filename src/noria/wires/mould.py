"""The bytes around a piece of text, which mostly come again around the next one: then nothing but the words has to be read.

It knows no dialect: whoever reads one says whether the words are where they seem to be.
"""

from __future__ import annotations

from collections.abc import Callable

from noria.core.events import Delta

_LETTERS = b'"obfuscation":"'
"""OpenAI's chunks end with so many random letters that their length does not betray the words."""
_SPACES = b" }\n\n"
"""Anthropic's end with so many spaces."""
_VAIN = 4
"""Moulds that may be made and fit nothing; after them the stream is taken to be one whose chunks are all different."""


class Mould:
    """Follows the chunks of one stream."""

    __slots__ = ("_after", "_before", "_begin", "_fitted", "_index", "_letters", "_made", "_tail")

    def __init__(self) -> None:
        self._begin = 0
        """Where the words begin; 0 where there is no mould."""
        self._index = 0
        """The choice that says them."""
        self._before = self._after = b""
        self._tail: bytes | None = None
        """What comes behind ``_after`` and padding, where there is such."""
        self._letters = False
        """The padding is letters, and not spaces."""
        self._made = self._fitted = 0

    def more_text(self, chunk: bytes) -> Delta | None:
        """What a chunk means that differs in its words alone from the one that the mould was made of; None for any other.

        No character among the words is one that JSON escapes: so the chunk is well-formed, and UTF-8, as that one was.
        """
        begin = self._begin
        if not begin or not chunk.startswith(self._before):
            return None
        end = chunk.find(b'"', begin)
        if chunk[end:] != self._after if self._tail is None else not self._padded(chunk, end, self._tail):
            return None
        try:
            words = chunk[begin:end].decode()
        except UnicodeDecodeError:
            return None
        if not words or not words.isprintable() or "\\" in words:
            return None
        self._fitted += 1
        return Delta(index=self._index, text=words)

    def _padded(self, chunk: bytes, end: int, tail: bytes) -> bool:
        begin, stop = end + len(self._after), len(chunk) - len(tail)
        if begin > stop or not (chunk.startswith(self._after, end) and chunk.endswith(tail)):
            return False
        padding = chunk[begin:stop]
        return padding.isalnum() if self._letters else not padding.strip(b" ")

    def make(self, chunk: bytes, index: int, words: str, means: Callable[[bytes, str], bool]) -> None:
        """Make it of a chunk, where that can be done and has been worth it.

        Arguments:
            chunk: one event.
            index: the choice that says something.
            words: what it says, and all that the chunk means.
            means: whether other bytes mean the same as the chunk, with these words in place of its own. Nothing is raised.
        """
        self._begin = 0
        if self._made >= self._fitted + _VAIN or not words.isprintable():
            return
        quoted = b'"%b"' % words.encode()
        if chunk.count(quoted) != 1:
            return
        begin = chunk.index(quoted) + 1
        before, after, tail = chunk[:begin], chunk[begin + len(quoted) - 2 :], None
        self._made += 1
        padding = b""
        if letters := _LETTERS in after:
            start = after.index(_LETTERS) + len(_LETTERS)
            after, padding, tail = after[:start], b"a", after[after.find(b'"', start) :]
        elif after.endswith(_SPACES):
            after, tail = after[: -len(_SPACES)].rstrip(b" "), _SPACES[1:]
        others = words + "a"
        if means(b"".join((before, others.encode(), after, padding, tail or b"")), others):
            self._begin, self._before, self._after, self._tail = begin, before, after, tail
            self._index, self._letters = index, letters

    def forget(self) -> None:
        """The next chunk may mean something else."""
        self._begin = 0
