"""The way back from a plain reply to a stream of events: how a stored answer is replayed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from noria.core.citing import moved
from noria.core.events import Content, Counted, Delta, Embedded, Started, Stopped, ThoughtDelta, ToolCallDelta, Used
from noria.core.messages import TextPart, ToolCall
from noria.core.replies import Choice, Reply


def events_of(reply: Reply) -> Iterable[Content]:
    """The shortest stream that folds back into ``reply``: how a stored answer is replayed."""
    yield Started(id=reply.id, model=reply.model)
    for index, choice in enumerate(reply.choices):
        yield from _said(index, choice)
        if choice.finish_reason is not None:
            yield Stopped(index=index, reason=choice.finish_reason, sequence=choice.sequence)
    for index, vector in enumerate(reply.vectors):
        yield Embedded(index=index, vector=vector)
    yield from reply.ranking
    if reply.counted is not None:
        yield Counted(tokens=reply.counted)
    if reply.usage is not None:
        yield Used(usage=reply.usage)


def _said(index: int, choice: Choice) -> Iterable[Delta]:
    """A choice's content in its order, each block of sealed thinking at its place."""
    message = choice.message
    pieces: list[Delta] = []
    calls, before = itertools.count(), 0
    for piece in message.pieces:
        match piece:
            case TextPart(text=text, citations=cited):
                counted = tuple(moved(citation, before) for citation in cited)
                pieces += [Delta(index=index, text=text, citations=counted)] if text else []
                before += len(text)
            case ToolCall():
                pieces.append(Delta(index=index, tool_calls=(_whole_call(next(calls), piece),)))
            case _:
                pieces.append(Delta(index=index, parts=(piece,)))
    for i, thought in reversed(list(enumerate(message.thoughts))):
        block = ThoughtDelta(
            index=i, signature=thought.signature, redacted=thought.redacted, id=thought.id, format=thought.format
        )
        pieces.insert(thought.at, Delta(index=index, reasoning=thought.text, thought=block))
    if message.reasoning and not message.thoughts:
        pieces.insert(0, Delta(index=index, reasoning=message.reasoning))
    if message.refusal or choice.logprobs or not pieces:
        pieces.append(Delta(index=index, refusal=message.refusal, logprobs=choice.logprobs))
    yield from pieces


def _whole_call(number: int, call: ToolCall) -> ToolCallDelta:
    return ToolCallDelta(
        index=number,
        id=call.id,
        name=call.name,
        arguments=call.arguments,
        signature=call.signature,
        custom=call.custom,
    )
