"""Questions for the number of a prompt's tokens go to whoever can count; where nobody can, the number is estimated."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

import msgspec

from noria.core.answering import Answering, Tell, answering
from noria.core.events import Counted, Event, Sent
from noria.core.messages import AudioPart, BlobPart, FilePart, ImagePart, Message, OtherPart, TextPart
from noria.core.protocols import Target
from noria.core.requests import Request

_BYTES_A_TOKEN = 4
"""Of English prose and JSON, about; other languages take more tokens for as many bytes of UTF-8."""
_TOKENS_A_MESSAGE = 4
_TOKENS_AN_IMAGE = 1_600
"""What Anthropic's largest images take."""
_BYTES_A_TOKEN_OF_A_FILE = 40
"""Of a PDF in base64, about: much of it is layout, fonts and images."""


class Counting:
    """A target that has questions for a count answered by another one.

    Arguments:
        inner: answers everything else.
        counter: answers those, such as :class:`Estimated`.
    """

    def __init__(self, inner: Target, counter: Target) -> None:
        self._inner = inner
        self._counter = counter
        self._answer, self._count = answering(inner), answering(counter)

    def call(self, request: Request) -> AsyncIterator[Event]:
        """Call one or the other."""
        return (self._counter if request.count else self._inner).call(request)

    def answer(self, request: Request, tell: Tell) -> Answering:
        """The same, told."""
        return (self._count if request.count else self._answer)(request, tell)


class Estimated:
    """Answers with :func:`estimate`, and says that it does: ``count_tokens`` is emulated.

    Arguments:
        provider: whose model is asked about.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """The estimate. Calls nobody."""
        yield Sent(request=request, provider=self._provider, streamed=False, emulated=("count_tokens",))
        yield Counted(tokens=estimate(request))


def estimate(request: Request) -> int:
    """Tokens of a prompt, roughly: a quarter of its bytes, 4 for each message, 1,600 for each image."""
    tokens = float(sum(map(_message, request.messages)))
    for tool in request.tools:
        tokens += len(msgspec.json.encode(tool)) / _BYTES_A_TOKEN
    return math.ceil(tokens)


def _message(message: Message) -> float:
    return _TOKENS_A_MESSAGE + sum(_parts(message))


def _parts(message: Message) -> Iterator[float]:
    if isinstance(message.content, str):
        yield _text(message.content)
    else:
        for part in message.content:
            match part:
                case TextPart():
                    yield _text(part.text)
                case ImagePart():
                    yield _TOKENS_AN_IMAGE
                case FilePart():
                    yield len(part.url) / _BYTES_A_TOKEN_OF_A_FILE
                case AudioPart():
                    yield len(part.data) / _BYTES_A_TOKEN_OF_A_FILE
                case OtherPart():
                    yield len(msgspec.json.encode(part.data)) / _BYTES_A_TOKEN
                case BlobPart():
                    yield part.bytes / _BYTES_A_TOKEN
    yield _text(message.reasoning)
    for call in message.tool_calls:
        yield _text(call.name) + _text(call.arguments)


def _text(text: str) -> float:
    return len(text.encode(errors="surrogatepass")) / _BYTES_A_TOKEN
