"""A provider that costs next to nothing: fixed replies in OpenAI's and Anthropic's shape, for load to pass through.

    python benchmarks/gateways/upstream.py PORT

The model's name says what a streamed reply is: ``gpt-4o`` answers with 20 chunks at once, ``gpt-4o-200x10`` with 200,
one every 10 ms. It reads just enough HTTP for clients that send a Content-Length.
"""

from __future__ import annotations

import asyncio
import re
import sys

import uvloop

WORDS = "The wheel turns by the stream that it lifts. " * 4
_PACED = re.compile(rb'"gpt-4o-(\d+)x(\d+)"')
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def _head(kind: bytes, framing: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%b\r\n\r\n" % (kind, framing)


def _whole(body: bytes) -> bytes:
    return _head(b"application/json", b"Content-Length: %d" % len(body)) + body


def _piece(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_STREAM = _head(b"text/event-stream", b"Transfer-Encoding: chunked")
_CHAT = b'{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-4o-2024-08-06","choices":['
_CHUNK = _CHAT.replace(b"chat.completion", b"chat.completion.chunk")
_USED = b'"usage":{"prompt_tokens":60,"completion_tokens":40,"total_tokens":100}}'
_OPENAI = _whole(
    _CHAT
    + b'{"index":0,"message":{"role":"assistant","content":"%b"},"finish_reason":"stop"}],' % WORDS.encode()
    + _USED
)
_OPENAI_FIRST = _piece(b"data: " + _CHUNK + b'{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n')
_OPENAI_WORD = _piece(
    b"data: " + _CHUNK + b'{"index":0,"delta":{"content":" wheel"},"logprobs":null,"finish_reason":null}]}\n\n'
)
_OPENAI_END = b"".join(
    map(
        _piece,
        (
            b"data: " + _CHUNK + b'{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
            b"data: " + _CHUNK + b"]," + _USED + b"\n\n",
            b"data: [DONE]\n\n",
        ),
    )
)
_ANTHROPIC = _whole(
    b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"%b"}],'
    b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":60,"output_tokens":40}}' % WORDS.encode()
)


def _named(name: bytes, data: bytes) -> bytes:
    return _piece(b"event: %b\ndata: %b\n\n" % (name, data))


_ANTHROPIC_FIRST = _named(
    b"message_start",
    b'{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5",'
    b'"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":60,"output_tokens":1}}}',
) + _named(
    b"content_block_start",
    b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
)
_ANTHROPIC_WORD = _named(
    b"content_block_delta",
    b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" wheel"}}',
)
_ANTHROPIC_END = (
    _named(b"content_block_stop", b'{"type":"content_block_stop","index":0}')
    + _named(
        b"message_delta",
        b'{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":40}}',
    )
    + _named(b"message_stop", b'{"type":"message_stop"}')
)
_END = b"0\r\n\r\n"


class Provider(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It is there."""
        self._transport = transport
        self._data = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_lost(self, _exc: Exception | None) -> None:
        """It is gone."""
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer what is whole."""
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._data, 0, end)
        size = end + 4 + (int(length[1]) if length else 0)
        if len(self._data) < size:
            return
        request, self._data = self._data[:size], self._data[size:]
        anthropic = b"/messages " in request[:60]
        if b'"stream":true' not in request and b'"stream": true' not in request:
            self._transport.write(_ANTHROPIC if anthropic else _OPENAI)
            return
        first, word, last = (
            (_ANTHROPIC_FIRST, _ANTHROPIC_WORD, _ANTHROPIC_END)
            if anthropic
            else (_OPENAI_FIRST, _OPENAI_WORD, _OPENAI_END)
        )
        paced = _PACED.search(request)
        if paced is None:
            self._transport.write(_STREAM + first + word * 20 + last + _END)
            return
        self._transport.write(_STREAM + first)
        self._say(word, int(paced[1]), int(paced[2]) / 1000, last + _END)

    def _say(self, word: bytes, left: int, pause_s: float, last: bytes) -> None:
        if left == 0:
            self._transport.write(last)
            return
        self._transport.write(word)
        self._timer = asyncio.get_running_loop().call_later(pause_s, self._say, word, left - 1, pause_s, last)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
