"""Bodies that come compressed.

Noria asks for none (``Accept-Encoding: identity``): a compressor holds streamed tokens back, and between machines of one
data centre it costs more than it saves. Some servers compress all the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

PIECE = 256 * 1024
"""Most bytes that one step unpacks, so that a bomb is noticed while it is small."""
KNOWN = frozenset({"gzip", "x-gzip", "deflate"})
"""Encodings that can be unpacked."""


class Unpacker:
    """One body in gzip or deflate. Raises ``zlib.error`` for what is neither."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(zlib.MAX_WBITS | 32)  # both of the headers that zlib knows

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Unpack more, a bounded piece at a time."""
        while data and not self._inner.eof:
            if piece := self._inner.decompress(data, PIECE):
                yield piece
            data = self._inner.unconsumed_tail

    @property
    def complete(self) -> bool:
        """The compressed body's own end has come."""
        return self._inner.eof
