"""JSON that was asked for in words, held to its schema before anybody sees it.

A wire that can't bind a reply to a schema asks for it in words and says so (``Sent.emulated``). Nothing then makes the
model obey, so the reply's text is held back to its end, read, and passed on as the bare JSON, or the call fails: a
caller of structured output never gets something else. Thinking, calls of tools and token counts flow as they come.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import msgspec

from noria.core.answering import Answering, Tell, answering, from_events
from noria.core.citing import moved
from noria.core.errors import CallFailed, NoriaError
from noria.core.events import Delta, Event, Sent, Stopped, Used, plain
from noria.core.messages import Citation
from noria.core.protocols import Target
from noria.core.requests import Request
from noria.targets.closing import called
from noria.targets.metering import Meter, noted

Read = Callable[[str], Awaitable[str]]
"""Takes a reply's text and returns the JSON in it; a ``ValueError`` says what is wrong with it."""
_EMULATED = frozenset({"response_schema", "response_json"})
_NO_ANSWER = frozenset({"content_filter", "refusal"})
"""Finish reasons of a reply that was never going to be the JSON: it goes on as it is."""


class Structured:
    """A target whose replies satisfy the request's schema, also where the provider inside can't hold to one.

    A reply that does not satisfy it is a failure that may pass: whoever retries failed calls asks again. Where the
    schema is not to bind (``response_strict``), such a reply goes on as it is.

    Arguments:
        inner: what is called.
        reading: makes the function that reads replies of a schema; of None, any JSON object. Raises ``InvalidInput``. Both are awaited,
            because schema and reply are somebody else's, and to hold one to the other may take long.
    """

    def __init__(self, inner: Target, reading: Callable[[dict[str, Any] | None], Awaitable[Read]]) -> None:
        self._inner = inner
        self._answer = answering(inner)
        self._reading = reading

    def call(self, request: Request) -> AsyncIterator[Event]:
        """Call on; where no JSON is wanted, without a step between.

        Raises:
            CallFailed: the reply is not what was asked for.
            InvalidInput: the schema can't be checked.
        """
        return self._held(request) if _wants_json(request) else self._inner.call(request)

    def answer(self, request: Request, tell: Tell) -> Answering:
        """The same, told."""
        if _wants_json(request):
            return from_events(self._held(request), request, tell)
        return self._answer(request, tell)

    async def _held(self, request: Request) -> AsyncGenerator[Event]:
        hold: _Hold | None = None
        try:
            async with called(self._inner, request) as events:
                async for event in events:
                    if isinstance(event, Sent):
                        hold = await self._hold(event, request)
                        yield event
                    elif hold is None:
                        yield event
                    else:
                        for passed in await hold.take(event):
                            yield passed
            if hold is not None:
                for last in hold.end():
                    yield last
        except NoriaError:
            if hold is not None and (spent := hold.meter.broken()):
                yield noted(spent)
            raise

    async def _hold(self, sent: Sent, request: Request) -> _Hold | None:
        """Nothing where the provider holds to schemas by itself."""
        if _EMULATED.isdisjoint(sent.emulated):
            return None
        params = request.params
        read = await self._reading(params.response_schema)
        return _Hold(read, sent, strict=params.response_strict or params.response_json)


def _wants_json(request: Request) -> bool:
    return request.params.response_schema is not None or request.params.response_json


class _Hold:
    """The text of each choice until it is complete.

    A reply that is wrong is read to its end all the same: the provider counts its tokens last.
    """

    def __init__(self, read: Read, sent: Sent, *, strict: bool) -> None:
        self._read = read
        self._strict = strict
        self._texts: dict[int, list[str]] = {}
        self._citations: dict[int, list[Citation]] = {}
        self._calls: set[int] = set()
        self._counted: list[Used] = []
        self._failure: CallFailed | None = None
        self.meter = Meter()
        """What the attempt has used."""
        self.meter.take(sent)

    async def take(self, event: Event) -> list[Event]:
        """What may go on now."""
        self.meter.take(event)
        passed: list[Event] = []
        for inner in plain(event):
            if self._failure is not None:
                break
            try:
                passed += await self._passed(inner)
            except CallFailed as error:
                self._failure = error
        return passed

    def end(self) -> list[Used]:
        """What goes on last. Raises ``CallFailed`` where the reply is not what was asked for."""
        if self._failure is not None:
            raise self._failure
        return self._counted

    async def _passed(self, event: Event) -> Iterable[Event]:
        match event:
            case Delta():
                return self._without_text(event)
            case Stopped():
                return [*await self._said(event), event]
            case Used():
                self._counted.append(event)
                return ()
        return [event]

    def _without_text(self, delta: Delta) -> list[Event]:
        if delta.tool_calls:
            self._calls.add(delta.index)
        self._texts.setdefault(delta.index, []).append(delta.text)
        self._citations.setdefault(delta.index, []).extend(delta.citations)
        rest = msgspec.structs.replace(delta, text="", citations=())
        return [rest] if rest != Delta(index=delta.index) else []

    async def _said(self, stopped: Stopped) -> list[Event]:
        text = "".join(self._texts.pop(stopped.index, ()))
        citations = tuple(self._citations.pop(stopped.index, ()))
        read = text
        if stopped.index not in self._calls and stopped.reason not in _NO_ANSWER:
            read = await self._json(text, stopped)
        if not (read or citations):
            return []
        return [Delta(index=stopped.index, text=read, citations=_without(citations, text.find(read)))]

    async def _json(self, text: str, stopped: Stopped) -> str:
        """The JSON in the text."""
        try:
            return await self._read(text)
        except ValueError as error:
            if not self._strict:
                return text
            raise CallFailed(
                f"The model was asked in words for JSON that satisfies a schema, and answered something else: {error}",
                hint="Raise `max_tokens`: they were used up."
                if stopped.reason == "length"
                else "Ask again, or call a model whose provider holds to schemas.",
                retryable=stopped.reason != "length",
            ) from None


def _without(citations: tuple[Citation, ...], first: int) -> tuple[Citation, ...]:
    """Citations of a text whose ``first`` characters were taken off."""
    return tuple(moved(citation, -max(0, first)) for citation in citations)
