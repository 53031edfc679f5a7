"""Streamed chat replies: server-sent events from ``message-start`` to ``message-end``."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallGarbled
from noria.core.events import Content, Delta, Started, Stopped, ToolCallDelta, Used
from noria.wires.cohere.replies import citations_of, each, logprobs_of, reason_of, thinking_of
from noria.wires.cohere.shapes import EventShape, ToolCallShape, usage_of
from noria.wires.sse import EventParser
from noria.wires.statuses import failed

_event_decoder = msgspec.json.Decoder(EventShape)


class StreamDecoder:
    """The bytes of one streamed reply, cut anywhere, as events.

    The reply is complete with ``message-end``, which brings the finish reason and the token count; without it, it was
    cut. A second ``message-start`` is a failed call. Kinds of event that nobody knows yet are read over.
    """

    def __init__(self) -> None:
        self._parser = EventParser()
        self._calls: dict[int, int] = {}
        self._begins: dict[int, int] = {}
        """How many characters of the answer come before each block."""
        self._length = 0
        self._started = False
        self._done = False

    @property
    def done(self) -> bool:
        """True once ``message-end`` was read."""
        return self._done

    def feed(self, chunk: bytes) -> Iterator[Content]:
        """Take more bytes; yield the events that they complete. Raises ``CallFailed`` where the stream says so."""
        for event in self._parser.feed(chunk):
            if self._done:
                return
            if event.data and event.data.strip() != b"[DONE]":
                yield from self._event(event.data)

    def close(self) -> None:
        """The bytes have ended. Raises ``CallCut`` when the reply is not complete."""
        if not self._done:
            raise CallCut(f"Cohere's stream ended before the reply {'was complete' if self._started else 'began'}.")

    def _event(self, data: bytes) -> Iterator[Content]:
        try:
            event = _event_decoder.decode(data)
        except UNREADABLE as error:
            raise CallGarbled(f"Cohere sent something that is no event of a chat: {error}.") from error
        if event.type is None and event.message:
            raise failed(500, event.message)
        if event.type == "message-start":
            if self._started:
                raise CallGarbled("Cohere's stream began a second message before the first was complete.")
            self._started = True
            yield Started(id=event.id or "")
        elif event.type == "message-end":
            yield from self._end(event)
        elif delta := self._delta(event):
            yield delta

    def _delta(self, event: EventShape) -> Delta | None:
        answer = event.delta.message if event.delta else None
        logprobs = logprobs_of((event.logprobs,)) if event.logprobs else None
        if answer is None:
            return Delta(logprobs=logprobs) if logprobs else None
        text = "".join(block.text or "" for block in each(answer.content))
        if text:
            self._begins.setdefault(event.index or 0, self._length)
            self._length += len(text)
        cited = (found for citation in each(answer.citations) for found in citations_of(citation, self._begins))
        delta = Delta(
            text=text,
            reasoning=thinking_of(answer),
            tool_calls=tuple(self._piece(event.index or 0, call) for call in each(answer.tool_calls)),
            citations=tuple(cited),
            logprobs=logprobs,
        )
        return delta if delta != Delta() else None

    def _piece(self, index: int, call: ToolCallShape) -> ToolCallDelta:
        function = call.function
        return ToolCallDelta(
            index=self._calls.setdefault(index, len(self._calls)),
            id=call.id or "",
            name=(function.name if function else None) or "",
            arguments=(function.arguments if function else None) or "",
        )

    def _end(self, event: EventShape) -> Iterator[Content]:
        end = event.delta
        if end is None or end.finish_reason is None:
            raise CallCut("Cohere's stream ended without saying why.")
        reason = reason_of(end.finish_reason, end.error)
        self._done = True
        yield Stopped(reason=reason)
        if usage := usage_of(end.usage):
            yield Used(usage=usage)
