"""What a call has used: attempts that broke off, and the one under way.

A provider counts the tokens of a reply at its end, so a reply that never gets there is paid and not counted. It is then taken to have
used its expected prompt and the text that had come, which is less than the truth where a model thinks unseen.

Who keeps a part of a reply to itself (until JSON is complete, until a guard has seen it) and then lets the attempt fail says what it
used, as ``Noted``. Everybody outside sees the rest by itself: so each attempt is counted once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from noria.core.attributes import ESTIMATED_INPUT, ESTIMATED_OUTPUT, SPENT
from noria.core.events import Delta, Event, Noted, Raw, Sent, Started, Used
from noria.core.replies import Reply, Usage
from noria.core.struct import Noun
from noria.targets.estimate import input_tokens, said_tokens


class Spent(Noun):
    """What an attempt has used that is no part of the reply, or broke it off."""

    model: str
    """``provider/model``, as it was asked for."""
    usage: Usage
    """Its tokens."""
    answered: str = ""
    """The model as it named itself."""
    counted: bool = False
    """Whether the provider counted; else it is an estimate."""


class Meter:
    """Follows one call. What it sees of an attempt that another one follows is that attempt's use."""

    def __init__(self) -> None:
        self.sent: Sent | None = None
        """The attempt under way."""
        self.model = ""
        """The model that answers, as it names itself."""
        self.usage: Usage | None = None
        """What its provider counted."""
        self._size = 0

    def take(self, event: Event) -> Iterable[Spent]:
        """Note an event; the attempts that are known to have broken off with it."""
        match event:
            case Delta():
                self._size += said(event)
            case Raw():
                for inner in event.events:
                    if isinstance(inner, Delta):
                        self._size += said(inner)
                    else:
                        self.take(inner)
            case Used():
                self.usage = event.usage
            case Started():
                self.model = event.model
            case Sent():
                lost = None if self.sent is None else self.broken()
                self._begin(event)
                return (lost,) if lost else ()
            case Noted() if SPENT in event.attributes:
                self._begin(None)
                return spent_in(event.attributes)
        return ()

    def take_reply(self, reply: Reply) -> None:
        """Note a reply that came in one piece, or of which the pieces were noted before."""
        self.model, self.usage = reply.model or self.model, reply.usage or self.usage
        if self.usage is None and not self._size:
            self._size = said_in(reply)

    def finished(self) -> Usage:
        """What the attempt used that came to its end."""
        if self.usage is not None or self.sent is None:
            return self.usage or Usage(input_tokens=0, output_tokens=0)
        return _expected(self.sent, self._size)

    def broken(self, *, given_up: bool = False) -> Spent | None:
        """What the attempt used that broke off; None for nothing: no word had come, or nobody was asked.

        Arguments:
            given_up: nobody waited for the answer, which the model then was already at work on.
        """
        sent = self.sent
        if sent is None or not sent.provider or sent.replays or sent.request.count:
            return None
        if self.usage is None and not self._size and not given_up:
            return None
        return _spent(sent, self.usage or _expected(sent, self._size), self.model, counted=self.usage is not None)

    def _begin(self, sent: Sent | None) -> None:
        self.sent, self.model, self.usage, self._size = sent, "", None, 0


def noted(*spent: Spent) -> Noted:
    """The event that tells of it."""
    return Noted(attributes=attributes(*spent))


def attributes(*spent: Spent) -> dict[str, Any]:
    """The same, as it stands on a span."""
    return {SPENT: [msgspec.to_builtins(one) for one in spent]}


def spent_in(attributes: Mapping[str, Any]) -> tuple[Spent, ...]:
    """What broken-off attempts used by a span's attributes; nothing where they say something else."""
    if SPENT not in attributes:
        return ()
    try:
        return msgspec.convert(attributes[SPENT], tuple[Spent, ...])
    except msgspec.ValidationError:  # a span from elsewhere may hold anything
        return ()


def estimates(spent: Iterable[Spent]) -> dict[str, Any]:
    """For the span of a call that broke off: what its attempts used together. Empty where all of them were counted."""
    found = tuple(spent)
    if all(one.counted for one in found):
        return {}
    usages = [one.usage for one in found]
    return {
        ESTIMATED_INPUT: sum(usage.input_tokens for usage in usages),
        ESTIMATED_OUTPUT: sum(usage.output_tokens for usage in usages),
    }


def said(delta: Delta) -> int:
    """Characters of a piece that cost tokens."""
    size = len(delta.text) + len(delta.reasoning) + len(delta.refusal)
    return (
        size if not delta.tool_calls else size + sum(len(call.name) + len(call.arguments) for call in delta.tool_calls)
    )


def said_in(reply: Reply) -> int:
    """Characters of a reply, as far as it has come, by the same rule."""
    size = 0
    for choice in reply.choices:
        message = choice.message
        size += len(message.text) + len(message.reasoning) + len(message.refusal)
        size += sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
    return size


def estimated(sent: Sent, size: int, model: str) -> Spent:
    """What an attempt used that said so many characters and was not counted."""
    return _spent(sent, _expected(sent, size), model, counted=False)


def _spent(sent: Sent, usage: Usage, model: str, *, counted: bool) -> Spent:
    asked = sent.request.model
    name = asked if asked.startswith(f"{sent.provider}/") else f"{sent.provider}/{asked}"
    return Spent(model=name, usage=usage, answered=model, counted=counted)


def _expected(sent: Sent, size: int) -> Usage:
    return Usage(input_tokens=input_tokens(sent.request), output_tokens=said_tokens(size))
