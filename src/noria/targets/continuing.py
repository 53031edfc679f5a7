"""An answer that broke off, and how another model is asked to go on from there."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from noria.core.attributes import CONTINUED
from noria.core.events import Delta, Event, Noted, OnRecord, Sent, Started, plain
from noria.core.messages import Message
from noria.core.requests import Request


def can_be_continued(request: Request) -> bool:
    """Whether the caller allows it, and a text is asked for.

    Text that has to satisfy a schema would be begun anew by a model that is held to it.
    """
    params = request.params
    return (
        request.may_continue
        and request.operation == "chat"
        and request.n == 1
        and params.response_schema is None
        and not params.response_json
        and params.logprobs is None
    )


class Unfinished:
    """What of an answer has come. Only plain text can be gone on from.

    Tool calls, thinking, citations and the like can't be handed to another model as the beginning of its own answer.

    Arguments:
        request: what is answered.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._text: list[str] = []
        self._plain = True
        self._bare = True
        self._resumed = False

    def take(self, event: Event) -> Iterator[Event]:
        """Note an event; yield what the caller is to see of it."""
        if isinstance(event, Sent):
            yield self._told(event)
            return
        for inner in plain(event):
            yield from self._noted(inner)

    def _noted(self, event: Event) -> Iterator[Event]:
        match event:
            case Started() if self._resumed:
                return  # the reply has begun already, and a second beginning would be a second reply
            case Started() | Noted() | OnRecord():
                yield event
            case Delta(index=0) if event == Delta(text=event.text):
                text = event.text if self._bare else event.text.lstrip()
                if text:
                    self._bare = True
                    self._text.append(text)
                    yield Delta(text=text)
            case _:
                self._plain = False
                yield event

    @property
    def characters(self) -> int:
        """How much was said."""
        return sum(map(len, self._text))

    def can_go_on(self) -> bool:
        """Whether another model can go on from here."""
        return self._plain

    def resume(self, request: Request) -> Request:
        """``request``, asked of a model that goes on: what was said is the beginning of its own answer.

        White space at the end stays out of it, because some providers refuse it there; then the rest begins without.
        """
        self._resumed = True
        text = "".join(self._text)
        said = text.rstrip()
        if not said:
            return request
        self._bare = said == text
        return msgspec.structs.replace(
            request, messages=(*self._request.messages, Message(role="assistant", content=said))
        )

    def _told(self, sent: Sent) -> Sent:
        """``sent`` as the record should have it: with the question as it was asked, and the place where the model goes on.

        Its request id is left out: the whole answer is none to what this model alone was asked.
        """
        if not self._resumed:
            return sent
        request = sent.request
        places = [*request.attributes.get(CONTINUED, []), self.characters]
        request = msgspec.structs.replace(
            request, messages=self._request.messages, attributes=request.attributes | {CONTINUED: places}
        )
        return msgspec.structs.replace(sent, request=request, request_id=None, continues=self.characters)
