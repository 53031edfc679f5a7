"""One HTTP/1.1 response: bytes in, cut anywhere; head and body out. Sans-I/O.

Source: RFC 9112. The parser is llhttp's, in its strict mode; what stays here are limits, where a response ends, and
whether its connection can carry another.
"""

from __future__ import annotations

from http import HTTPStatus

import httptools

_FINAL = HTTPStatus.OK.value
MAX_HEAD = 64 * 1024
"""Most bytes of a head, of what stands between two pieces of a body, or of its trailers. One read may exceed it."""


class BadResponse(Exception):
    """What came is no HTTP response."""


class ResponseReader:
    """Reads one response. Interim ones (1xx) before it are read over."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._unheard = 0
        self._until_close = False
        self.begun = False
        """Something has come."""
        self.headed = False
        """The head is whole."""
        self.complete = False
        """All of it has come."""
        self.reusable = False
        """The connection may carry another request."""
        self.status = 0
        """Status code, once the head is whole."""
        self.headers: dict[str, str] = {}
        """Names in lower case; what came several times is joined by commas."""
        self.waiting = 0
        """Bytes of the body that nobody has taken yet."""

    def feed(self, data: bytes) -> None:
        """Take more bytes. Raises ``BadResponse``."""
        self.begun = True
        self._unheard += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:  # nobody asked for an upgrade
            self.reusable = False
            if not self.complete:
                raise BadResponse(str(error)) from error
            return
        if self._unheard > MAX_HEAD and not self.complete:
            raise BadResponse(f"a head, or trailers, of more than {MAX_HEAD} bytes")

    def end(self) -> None:
        """The connection has ended. A body whose length nobody stated is complete then."""
        self.reusable = False
        if self.headed and self._until_close:
            self.complete = True

    def take(self) -> bytes:
        """All of the body that has come and was not taken; empty when there is none."""
        pieces = self._pieces
        if not pieces:
            return b""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.waiting = 0
        return data

    def close(self) -> None:
        """Nothing more is fed. The parser and this hold on to each other, which else the garbage collector alone would end."""
        del self._parser

    # -- called by the parser

    def on_message_begin(self) -> None:
        """Something begins; behind a complete response it is what nobody asked for."""
        if self.complete:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; after the head it is a trailer."""
        if self.headed:
            return
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        """The head is whole, perhaps of an interim response."""
        if self.complete:
            return
        self.status = self._parser.get_status_code()
        if self.status < _FINAL:
            return
        self.headed = True
        self._unheard = 0
        self._until_close = "content-length" not in self.headers and "transfer-encoding" not in self.headers

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self.complete:
            return
        self._unheard = 0
        self._pieces.append(data)
        self.waiting += len(data)

    def on_message_complete(self) -> None:
        """The end; of an interim response, the begin of the next."""
        if self.complete:
            return
        if not self.headed:
            self.headers.clear()
            return
        self.complete = True
        self.reusable = self._parser.should_keep_alive()
