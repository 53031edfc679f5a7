"""Responses that can be asked for again: ``GET /v1/responses/{id}`` and what belongs to it.

A response is kept nowhere but on the record: its id begins with its trace's, and the call's span holds, beside what was
sent and answered, the caller's own words in one attribute. So it survives what the record survives, is erased and
backed up with it, and ends when retention takes its texts. Deleting one takes the texts from the span and leaves the
numbers. A key sees its own responses, the admin key all of them.

What is not known here: conversations that a provider keeps. An id that is not the gateway's goes on to a provider of the
same wire.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

import msgspec

from noria.core.attributes import KEY_ID
from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput, UnknownName
from noria.core.keys import Caller, Key
from noria.core.messages import Message
from noria.core.protocols import TraceStore
from noria.core.questions import Filter, Question
from noria.core.replies import Choice, Reply, Usage
from noria.core.requests import Request
from noria.core.spans import Span
from noria.serve.asgi import Receive, Scope, Send, respond
from noria.wires.openai_responses import items
from noria.wires.openai_responses.requests import STORED
from noria.wires.openai_responses.server import echo, written
from noria.wires.openai_responses.writer import Writer

_ID = re.compile(r"resp_([0-9a-f]{32})(?:[0-9a-f]{16})?")
_JSON = "application/json"
_PREVIOUS = "previous_response_id"
_MOST = 100
"""Items in one page of a list."""
MOST_TURNS = 256
"""Responses that one may go on from."""
MOST_CHARACTERS = 16 * 1024 * 1024
"""Of what was asked and answered in them."""
_AT_A_TIME = 16
"""Responses that are looked up together."""


class _Kept(msgspec.Struct):
    """What the attribute holds: the caller's request, as far as it is read here."""

    id: str
    model: str
    input: list[dict[str, Any]]
    before: list[str] = []
    """Ids of the responses that this one goes on from, the oldest first."""
    fields: dict[str, Any] = {}


class StoredResponses:
    """Finds responses on the record.

    Arguments:
        traces: the record.
        key: where in the ASGI scope the caller's key is.
    """

    def __init__(self, traces: TraceStore, key: str) -> None:
        self._traces = traces
        self._key = key

    async def resume(self, request: Request) -> Request:
        """The request with what was said before in front of its input, where it goes on from a response that is kept here.

        Raises:
            UnknownName: the response is gone, was never stored, or is another key's.
        """
        previous = request.unread.get(_PREVIOUS)
        if not isinstance(previous, str) or _ID.fullmatch(previous) is None:
            return request
        last_kept, last = await self._find(previous, request.caller)
        chain = [*await self._chain(last_kept, request.caller), (last_kept, last)]
        _check_size(chain)
        earlier = tuple(
            message for kept, span in chain for message in (*items.messages_in(kept.input), *span.output[:1])
        )
        asked: dict[str, Any] = msgspec.json.decode(request.attributes.get(STORED, "{}"))
        instructed = bool(request.messages) and request.messages[0].role == "system" and "instructions" in asked
        first = 1 if instructed else 0
        attributes = dict(request.attributes)
        if asked:
            asked["before"] = [*last_kept.before, previous]
            attributes[STORED] = msgspec.json.encode(asked).decode()
        return msgspec.structs.replace(
            request,
            messages=(*request.messages[:first], *earlier, *request.messages[first:]),
            unread={name: value for name, value in request.unread.items() if name != _PREVIOUS},
            attributes=attributes,
        )

    async def _chain(self, kept: _Kept, caller: Caller) -> list[tuple[_Kept, Span]]:
        """What a response goes on from, the oldest first.

        Raises:
            InvalidInput: it is longer than what is put in front of a question.
            UnknownName: one of them is gone.
        """
        if len(kept.before) >= MOST_TURNS:
            raise InvalidInput(
                f"The conversation behind {kept.id[:80]!r} has more than {MOST_TURNS} responses.",
                kept="All of them are kept.",
                hint="Send what the model still has to know as `input`, without `previous_response_id`.",
            )
        found: list[tuple[_Kept, Span]] = []
        for start in range(0, len(kept.before), _AT_A_TIME):
            ids = kept.before[start : start + _AT_A_TIME]
            found += await asyncio.gather(*(self._find(id, caller) for id in ids))
            _check_size(found)
        return found

    async def show(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET /v1/responses/{id}``."""
        del receive
        kept, span = await self._asked(scope)
        await respond(send, 200, msgspec.json.encode(_response(kept, span)), _JSON)

    async def delete(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``DELETE /v1/responses/{id}``: the texts leave the record, the numbers stay."""
        del receive
        kept, span = await self._asked(scope)
        place = (Filter(column="trace_id", value=span.trace_id), Filter(column="span_id", value=span.span_id))
        await self._traces.strip(Question(where=place))
        body = {"id": kept.id, "object": "response", "deleted": True}
        await respond(send, 200, msgspec.json.encode(body), _JSON)

    async def list_items(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET /v1/responses/{id}/input_items``: what the response was made from, earlier turns too; newest first."""
        del receive
        kept, _ = await self._asked(scope)
        found: list[dict[str, Any]] = []
        for older, span in await self._chain(kept, _caller(scope.get(self._key))):
            found += [*_numbered(older), *_response(older, span)["output"]]
        found += _numbered(kept)
        await respond(send, 200, msgspec.json.encode(_page(found, scope["query_string"])), _JSON)

    async def _asked(self, scope: Scope) -> tuple[_Kept, Span]:
        return await self._find(scope["path_params"]["id"], _caller(scope.get(self._key)))

    async def _find(self, id: str, caller: Caller) -> tuple[_Kept, Span]:
        """A response and its span. One that is not the caller's is as unknown as one that never was."""
        match = _ID.fullmatch(id)
        spans = []
        if match is not None:
            here = (Filter(column="trace_id", value=match[1]), Filter(column="status", value="ok"))
            spans = await self._traces.spans(Question(where=here, limit=None))
        for span in spans:
            mine = not caller.key_id or span.attributes.get(KEY_ID) == caller.key_id
            kept = _read(span.attributes.get(STORED)) if mine else None
            if kept is not None and kept.id == id:
                return kept, span
        raise UnknownName(
            f"There is no response {id[:80]!r}.",
            hint="It was deleted or not stored (`store: false`), its texts are past their time, or it is another key's.",
        )


def _read(text: object) -> _Kept | None:
    """What the attribute holds; None for what the gateway did not write: a span from elsewhere may hold anything."""
    if not isinstance(text, str):
        return None
    try:
        kept = msgspec.json.decode(text, type=_Kept)
        return msgspec.structs.replace(kept, fields=msgspec.json.decode(text))
    except UNREADABLE:
        return None


def _check_size(chain: Sequence[tuple[_Kept, Span]]) -> None:
    """Refuse a conversation that is too large to be put in front of a question. Raises ``InvalidInput``."""
    size = sum(len(str(span.attributes[STORED])) + len(msgspec.json.encode(span.output)) for _, span in chain)
    if size > MOST_CHARACTERS:
        raise InvalidInput(
            f"The conversation that this goes on from has more than {MOST_CHARACTERS:,} characters.",
            kept="All of it is kept.",
            hint="Send what the model still has to know as `input`, without `previous_response_id`.",
        )


def _caller(key: Key | None) -> Caller:
    return Caller() if key is None else key.caller


def _response(kept: _Kept, span: Span) -> dict[str, Any]:
    """The response object, as it was sent."""
    answered = Message(role="assistant") if not span.output else span.output[0]
    usage = None
    if span.input_tokens is not None and span.output_tokens is not None:
        usage = Usage(
            input_tokens=span.input_tokens,
            output_tokens=span.output_tokens,
            cached_tokens=span.cached_tokens,
            reasoning_tokens=span.reasoning_tokens,
        )
    reason = span.finish_reasons[0] if span.finish_reasons else "stop"
    reply = Reply(
        model=span.response_model or "", choices=(Choice(message=answered, finish_reason=reason),), usage=usage
    )
    asked = Request(
        model=kept.model,
        unread={_PREVIOUS: kept.before[-1] if kept.before else None},
        attributes={STORED: span.attributes[STORED], "metadata": kept.fields.get("metadata") or {}},
    )
    told = echo(asked) | {name: kept.fields[name] for name in _REPEATED if kept.fields.get(name) is not None}
    return written(Writer(kept.id.removeprefix("resp_"), span.start_ns // 10**9, told), reply)


_REPEATED = ("max_output_tokens", "temperature", "top_p", "tool_choice", "parallel_tool_calls", "user")


def _numbered(kept: _Kept) -> list[dict[str, Any]]:
    """The input of one response, each item with an id and, where it is said, in parts."""
    made = []
    for i, item in enumerate(kept.input):
        whole = {"id": f"item_{kept.id.removeprefix('resp_')}{i:02x}", "type": "message"} | item
        if whole["type"] == "message":
            kind = "output_text" if whole.get("role") == "assistant" else "input_text"
            content = whole.get("content")
            parts = [{"type": kind, "text": content}] if isinstance(content, str) else content
            whole |= {"content": parts, "status": "completed"}
        made.append(whole)
    return made


def _page(found: list[dict[str, Any]], query_string: bytes) -> dict[str, Any]:
    """A page of a list, as ``order``, ``after`` and ``limit`` ask for. Raises ``InvalidInput``."""
    query = {name: values[-1] for name, values in parse_qs(query_string.decode("latin-1")).items()}
    order, limit = query.get("order", "desc"), query.get("limit", "20")
    if order not in {"asc", "desc"}:
        raise InvalidInput("`order` is asc or desc.")
    if not (limit.isdecimal() and 1 <= int(limit) <= _MOST):
        raise InvalidInput(f"`limit` is a number from 1 to {_MOST}.")
    ordered = found if order == "asc" else found[::-1]
    if "after" in query:
        ids = [item.get("id") for item in ordered]
        if query["after"] not in ids:
            raise InvalidInput("`after` names no item of this list.")
        ordered = ordered[ids.index(query["after"]) + 1 :]
    page = ordered[: int(limit)]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0].get("id") if page else None,
        "last_id": page[-1].get("id") if page else None,
        "has_more": len(page) < len(ordered),
    }
