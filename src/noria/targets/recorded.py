"""The recorder: every call becomes exactly one span, and no complete reply leaves without its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import MappingProxyType

from noria.core.answering import Answered, Ended, Tell, answering, told
from noria.core.errors import InvalidInput, NoriaError
from noria.core.events import Event, Noted, OnRecord, Raw, Sent, ends_reply
from noria.core.protocols import Clock, Target
from noria.core.requests import Request
from noria.core.spans import Span
from noria.targets.closing import called
from noria.targets.recording import NewIds, Price, Recording
from noria.targets.shown import Shown, Wires


class Recorded:
    """The outermost target.

    Content flows as it comes. The events that make a reply complete (see :func:`noria.core.events.ends_reply`), and all
    bytes after the first of them, are held back until the span is durable: a caller that saw the end of a reply can find its
    record, also after a crash. When the record can't be kept, the call fails with the store's error instead of ending
    well. ``OnRecord`` comes last.

    Arguments:
        inner: what is called.
        record: makes the span of a call that has ended, and makes it durable. Its future is done then; it goes on whether or not
            anybody waits.
        now: the clock.
        new_ids: makes a trace id and a span id.
        price: US dollars for a span.
        wires: what callers of each wire can be shown.
    """

    def __init__(
        self,
        inner: Target,
        record: Callable[[Recording], asyncio.Future[Span]],
        *,
        now: Clock,
        new_ids: NewIds,
        price: Price,
        wires: Wires = MappingProxyType({}),
    ) -> None:
        self._inner = inner
        self._answer = answering(inner)
        self._record = record
        self._now = now
        self._new_ids = new_ids
        self._price = price
        self._wires = wires

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Call on, and record. Raises what the inner target raises, and what ``record`` raises."""
        recording = Recording(request, now=self._now, new_ids=self._new_ids, price=self._price)
        shown = self._shown(request)
        left_out: tuple[str, ...] = ()
        ending: list[Event] = []
        try:
            async with called(self._inner, recording.request) as events:
                async for event in events:
                    recording.take(event)
                    if shown is not None:
                        shown.take(event)
                    if isinstance(event, Noted):
                        continue
                    if ends_reply(event) or (ending and isinstance(event, Raw)):
                        ending.append(event)
                    else:
                        yield event
            if shown is not None:
                left_out = shown.left_out(recording.reply())
            recording.finish(left_out)
        except (GeneratorExit, asyncio.CancelledError):
            recording.cancel()
            await self._record(recording)
            raise
        except Exception as error:  # whatever went wrong, the call was made, so it is recorded; then it goes on its way
            recording.fail(error)
            await self._record(recording)
            raise
        span = await self._record(recording)
        for event in ending:
            yield event
        yield _on_record(span, left_out)

    async def answer(self, request: Request, tell: Tell) -> Answered:
        """The same, told, with its record. Of a request that is not streamed nothing is told but ``Sent``."""
        recording = Recording(request, now=self._now, new_ids=self._new_ids, price=self._price)
        shown = self._shown(request)
        heard = _Heard(request, recording, shown, tell)
        left_out: tuple[str, ...] = ()
        try:
            answered = await self._answer(recording.request, heard.hear)
            if answered.reply is not None:
                recording.take_whole(answered.reply)
            if shown is not None:
                left_out = shown.left_out(recording.reply(), answered.wire)
            recording.finish(left_out)
        except (Ended, asyncio.CancelledError) as ended:
            refusal = heard.refusal(ended)
            if refusal is None:
                recording.cancel()
            else:
                recording.fail(refusal)
            await self._record(recording)
            if refusal is None:
                raise
            raise refusal from None
        except Exception as error:  # see above
            recording.fail(error)
            await self._record(recording)
            raise
        span = await self._record(recording)
        if heard.ending:
            await told(heard.ending, tell)
        return Answered(answered.reply, answered.wire, answered.data, _on_record(span, left_out))

    def _shown(self, request: Request) -> Shown | None:
        """Follows what the caller can be shown; None where that is everything."""
        shows = self._wires.get(request.wire)
        return None if shows is None else Shown(request, shows)


def _on_record(span: Span, left_out: tuple[str, ...]) -> OnRecord:
    return OnRecord(trace_id=span.trace_id, span_id=span.span_id, cost_usd=span.cost_usd, dropped=left_out)


class _Heard:
    """What is heard of a call that is told: noted, and passed on but for the end of the reply."""

    __slots__ = ("_recording", "_request", "_shown", "_tell", "ending")

    def __init__(self, request: Request, recording: Recording, shown: Shown | None, tell: Tell) -> None:
        self._request = request
        self._recording = recording
        self._shown = shown
        self._tell = tell
        self.ending: list[Event] = []
        """What is held back until the span is durable."""

    def hear(self, event: Event) -> Awaitable[None] | None:
        """Take the next event."""
        self._recording.take(event)
        if self._shown is not None:
            try:
                self._shown.take(event)
            except InvalidInput as error:
                raise Ended(error) from error
        if isinstance(event, Sent):
            return self._tell(event)
        if not self._request.stream or isinstance(event, Noted):
            return None
        if ends_reply(event) or (self.ending and isinstance(event, Raw)):
            self.ending.append(event)
            return None
        return self._tell(event)

    def refusal(self, ended: BaseException) -> NoriaError | None:
        """Why the call was refused here; None where it ended from outside."""
        return None if self._shown is None or not isinstance(ended, Ended) else self._shown.refused(ended.error)
