"""A streamed reply as it comes from the network: bytes in, events out, with the bytes where the caller speaks their wire."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from noria.core.errors import CallFailed, CallGarbled
from noria.core.events import Content, Delta, Event, Raw, ends_reply
from noria.wires.sse import Whole, single_events
from noria.wires.wire import Decoder


class Pieces:
    """One reply.

    Arguments:
        decoder: reads it.
        raw: name of its wire, where the bytes are to go on; else empty.
    """

    def __init__(self, decoder: Decoder, raw: str) -> None:
        self._decoder = decoder
        self._raw = raw
        self._more_text: Callable[[bytes], Delta | None] = getattr(decoder, "more_text", _nothing)
        self._whole = Whole()
        self.read = 0
        """Bytes so far."""

    def done(self) -> bool:
        """The end mark has come."""
        return self._decoder.done

    def more_text(self, chunk: bytes) -> Event | None:
        """What more bytes mean that are a piece of a text as others before it, as most are; of others None, and they are not taken."""
        more = None if self._whole.partial else self._more_text(chunk)
        if more is None:
            return None
        self.read += len(chunk)
        return Raw(wire=self._raw, data=chunk, events=(more,)) if self._raw else more

    def take(self, chunk: bytes) -> Iterable[Event]:
        """What more bytes mean. Raises ``CallFailed``, behind what came before it."""
        self.read += len(chunk)
        return self._as_they_came(chunk) if self._raw else self._decoder.feed(chunk)

    def close(self) -> None:
        """There are no more. Raises ``CallCut`` where the reply is not complete."""
        self._decoder.close()

    def _as_they_came(self, chunk: bytes) -> Iterator[Event]:
        data = self._whole.feed(chunk)
        if not data:
            return
        events: list[Content] = []
        start = taken = 0
        try:
            for event in single_events(data):
                known = len(events)
                events.extend(self._decoder.feed(event))
                check_text(event)
                if known and any(map(ends_reply, events[known:])):
                    # the end waits for the record, which what came before it in the same read need not; and a count that
                    # nobody asked for is left out by itself
                    yield Raw(wire=self._raw, data=data[start:taken], events=tuple(events[:known]))
                    events, start = events[known:], taken
                taken += len(event)
                if self._decoder.done:
                    break  # nothing counts after the end mark, and nobody is sent it
        except CallFailed:
            yield from events  # what the stream said before it said that it failed
            raise
        yield Raw(wire=self._raw, data=data if taken - start == len(data) else data[start:taken], events=tuple(events))


def _nothing(chunk: bytes) -> None:
    """What a dialect says of chunks that differ in their text alone which has no short way for them."""
    del chunk


def check_text(data: bytes) -> None:
    """Refuse what no client could read. The decoder skips fields that Noria does not know, and all that is in them."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise CallGarbled("The provider sent something that is not UTF-8.") from error
