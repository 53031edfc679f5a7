"""Replies on the wire, written: a response object, and the events in which it comes into being.

The object at the end of a stream and the one that is sent whole are made by the same steps, so they say the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from noria.core.citing import moved, place_of
from noria.core.errors import NoriaError
from noria.core.events import Content, Delta, Embedded, Started, Stopped, ToolCallDelta, Used
from noria.core.messages import Citation, ImagePart, OtherPart, Part, TextPart
from noria.core.replies import Ranked, Usage
from noria.wires.openai_chat.errors import error_object
from noria.wires.openai_chat.thinking import seal_out
from noria.wires.openai_responses.parts import citation_out
from noria.wires.shows import Shows

Fields = dict[str, Any]
_COMPLETE = frozenset({"stop", "tool_calls", "function_call"})
_INCOMPLETE = {"content_filter": "content_filter", "refusal": "content_filter"}
"""Any other reason is told as the limit: no answer ends well that way, and clients know no third word."""
_ITEMS = frozenset({"compaction", "mcp_list_tools", "mcp_approval_request", "program", "program_output"})
_ITEM = ("_call", "_call_output", "_search_output")
"""How all other kinds of items end that OpenAI's own tools make."""


class Writer:
    """One response while it comes into being.

    Arguments:
        id: hex digits that its id and those of its items are made of.
        echo: what the response repeats of the request.
    """

    def __init__(self, id: str, created: int, echo: Fields) -> None:
        self._id = id
        self._seq = 0
        self._items: list[Fields] = []
        self._open: int | None = None
        """Place of the message or thinking that goes on."""
        self._thought: int | None = None
        """Which of the model's blocks of thinking that is."""
        self._calls: dict[int, int] = {}
        """Which of the model's calls -> place of its item."""
        self._texts: list[tuple[int, int]] = []
        """Parts of text: the place of the item, and which part of it."""
        self._begins: list[int] = []
        """How many characters of the answer come before each."""
        self._length = 0
        self._early: list[Any] = []
        """Log-probabilities that came before their text."""
        self._reason: str | None = None
        self._usage: Usage | None = None
        self.response: Fields = {
            "id": f"resp_{id}",
            "object": "response",
            "created_at": created,
            "status": "in_progress",
            "background": False,
            "error": None,
            "incomplete_details": None,
            **echo,
            "output": [],
            "usage": None,
        }
        """The response as it is now."""

    def start(self, model: str) -> Iterator[Fields]:
        """The first two events; ``model`` is who answers, where that is known."""
        self.response["model"] = model or self.response["model"]
        yield self._event("response.created", response=dict(self.response))
        yield self._event("response.in_progress", response=dict(self.response))

    def take(self, event: Content) -> Iterator[Fields]:
        """The events that an event of the model's becomes. Only one answer fits into a response: the first."""
        match event:
            case Delta() if event.index == 0:
                yield from self._delta(event)
            case Stopped() if event.index == 0:
                self._reason = event.reason
            case Started():
                self.response["model"] = event.model or self.response["model"]
            case Used():
                self._usage = event.usage
            case Delta() | Stopped() | Embedded() | Ranked():
                pass

    def finish(self) -> Iterator[Fields]:
        """The last events of a complete response."""
        complete = self._reason is None or self._reason in _COMPLETE
        cut = None if complete else _INCOMPLETE.get(self._reason or "", "max_output_tokens")
        status = "completed" if cut is None else "incomplete"
        yield from self._close(status)
        for place in self._calls.values():
            yield from self._call_done(place, status)
        self.response["status"] = status
        self.response["incomplete_details"] = None if cut is None else {"reason": cut}
        self.response["usage"] = None if self._usage is None else usage_out(self._usage)
        self.response["output"] = self._items
        yield self._event(f"response.{status}", response=self.response)

    def fail(self, error: NoriaError) -> Iterator[Fields]:
        """The last events of a response that failed: it, and an ``error``, which makes clients raise."""
        told = error_object(error)
        code = "rate_limit_exceeded" if error.status == 429 else "server_error"
        failed = self.response | {
            "status": "failed",
            "error": {"code": code, "message": told["message"]},
            "output": self._items,
        }
        yield self._event("response.failed", response=failed)
        # OpenAI's event has the fields flat; its client raises for an inner `error` alone.
        yield self._event("error", code=told["code"], message=told["message"], param=None, error=told)

    def _event(self, kind: str, **fields: Any) -> Fields:
        number, self._seq = self._seq, self._seq + 1
        return {"type": kind, "sequence_number": number, **fields}

    def _delta(self, delta: Delta) -> Iterator[Fields]:
        if delta.reasoning or delta.thought is not None:
            yield from self._thinking(delta)
        if delta.text:
            yield from self._text(delta)
        elif delta.logprobs:
            self._late_logprobs(delta.logprobs)
        if delta.refusal:
            yield from self._refusal(delta.refusal)
        for piece in delta.tool_calls:
            yield from self._call(piece)
        for citation in delta.citations:
            yield from self._annotation(citation)
        for part in delta.parts:
            yield from self._part(part)

    # -- items ---------------------------------------------------------------------------------------------------

    def _add(self, item: Fields) -> Iterator[Fields]:
        self._items.append(item)
        yield self._event("response.output_item.added", output_index=len(self._items) - 1, item=_copy(item))

    def _opened(self, kind: str) -> Fields | None:
        """The item that goes on, where it is of that kind."""
        item = None if self._open is None else self._items[self._open]
        return item if item is not None and item["type"] == kind else None

    def _at(self, place: int, **fields: Any) -> Fields:
        return {"item_id": self._items[place]["id"], "output_index": place, **fields}

    def _close(self, status: str = "completed") -> Iterator[Fields]:
        """End the message or thinking that goes on."""
        place, self._open, self._thought = self._open, None, None
        if place is None:
            return
        item = self._items[place]
        if item["type"] == "reasoning":
            for i, part in enumerate(item["summary"]):
                at = self._at(place, summary_index=i)
                yield self._event("response.reasoning_summary_text.done", **at, text=part["text"])
                yield self._event("response.reasoning_summary_part.done", **at, part=dict(part))
        else:
            for i, part in enumerate(item["content"]):
                at = self._at(place, content_index=i)
                if part["type"] == "refusal":
                    yield self._event("response.refusal.done", **at, refusal=part["refusal"])
                else:
                    logprobs = part["logprobs"]
                    yield self._event("response.output_text.done", **at, text=part["text"], logprobs=logprobs)
                yield self._event("response.content_part.done", **at, part=_copy(part))
        item["status"] = status
        yield self._event("response.output_item.done", output_index=place, item=_copy(item))

    def _thinking(self, delta: Delta) -> Iterator[Fields]:
        block = delta.thought
        number = None if block is None else block.index
        item = self._opened("reasoning")
        if item is None or self._thought != number:
            yield from self._close()
            place = len(self._items)
            id = (block.id if block else "") or f"rs_{self._id}{place:02x}"
            item = {"id": id, "type": "reasoning", "summary": [], "status": "in_progress"}
            yield from self._add(item)
            self._open, self._thought = place, number
        place = self._open if self._open is not None else 0
        if block is not None and block.signature:
            item["encrypted_content"] = item.get("encrypted_content", "") + block.signature
            if not (block.redacted or delta.reasoning or item["summary"]):
                item["redacted"] = False
        if block is not None and block.format:
            item["format"] = block.format
        if delta.reasoning:
            if not item["summary"]:
                item["summary"].append({"type": "summary_text", "text": ""})
                part = {"type": "summary_text", "text": ""}
                yield self._event(
                    "response.reasoning_summary_part.added", **self._at(place, summary_index=0), part=part
                )
            item["summary"][0]["text"] += delta.reasoning
            at = self._at(place, summary_index=0)
            yield self._event("response.reasoning_summary_text.delta", **at, delta=delta.reasoning)

    def _content(self, kind: str, empty: Fields) -> Iterator[Fields]:
        """Make sure that a message goes on, and in it a part of that kind."""
        item = self._opened("message")
        if item is None:
            yield from self._close()
            place = len(self._items)
            id = f"msg_{self._id}{place:02x}"
            item = {"id": id, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
            yield from self._add(item)
            self._open = place
        content = item["content"]
        if not content or content[-1]["type"] != kind:
            content.append(empty)
            if kind == "output_text":
                self._texts.append((self._open or 0, len(content) - 1))
                self._begins.append(self._length)
            at = self._at(self._open or 0, content_index=len(content) - 1)
            yield self._event("response.content_part.added", **at, part=_copy(empty))

    def _last(self) -> tuple[int, Fields, Fields]:
        """The place of the message that goes on, its last part, and where that is."""
        place = self._open or 0
        content = self._items[place]["content"]
        return place, content[-1], self._at(place, content_index=len(content) - 1)

    def _text(self, delta: Delta) -> Iterator[Fields]:
        yield from self._content("output_text", _empty_text())
        _, part, at = self._last()
        early, self._early = self._early, []
        logprobs = [*early, *((delta.logprobs or {}).get("content") or ())]
        part["text"] += delta.text
        self._length += len(delta.text)
        part["logprobs"] += logprobs
        yield self._event("response.output_text.delta", **at, delta=delta.text, logprobs=logprobs)

    def _late_logprobs(self, logprobs: Fields) -> None:
        """Of text that has gone out already, which only the finished part can tell, or of the text to come."""
        item = self._opened("message")
        texts = [part for part in (item or {"content": []})["content"] if part["type"] == "output_text"]
        told = logprobs.get("content") or []
        if texts:
            texts[-1]["logprobs"] += told
        else:
            self._early += told

    def _refusal(self, words: str) -> Iterator[Fields]:
        yield from self._content("refusal", {"type": "refusal", "refusal": ""})
        _, part, at = self._last()
        part["refusal"] += words
        yield self._event("response.refusal.delta", **at, delta=words)

    def _annotation(self, citation: Citation) -> Iterator[Fields]:
        """On the text that it is about, which may be done already: the finished response tells it then."""
        if not self._texts:
            yield from self._content("output_text", _empty_text())
        number = -1 if citation.start is None else place_of(citation.start, self._begins)
        place, index = self._texts[number]
        annotations = self._items[place]["content"][index]["annotations"]
        annotations.append(annotation := citation_out(moved(citation, -self._begins[number])))
        at = self._at(place, content_index=index, annotation_index=len(annotations) - 1)
        yield self._event("response.output_text.annotation.added", **at, annotation=annotation)

    def _call(self, piece: ToolCallDelta) -> Iterator[Fields]:
        if piece.index not in self._calls:
            yield from self._close()
            place = len(self._items)
            kind, field, prefix = (
                ("custom_tool_call", "input", "ctc") if piece.custom else ("function_call", "arguments", "fc")
            )
            item = {"id": f"{prefix}_{self._id}{place:02x}", "type": kind, "status": "in_progress"}
            yield from self._add(item | {"call_id": piece.id, "name": piece.name, field: ""})
            self._calls[piece.index] = place
        place = self._calls[piece.index]
        item = self._items[place]
        if piece.signature:
            item.update(seal_out(piece.signature))
        if piece.arguments:
            custom = item["type"] == "custom_tool_call"
            item["input" if custom else "arguments"] += piece.arguments
            kind = "custom_tool_call_input" if custom else "function_call_arguments"
            yield self._event(f"response.{kind}.delta", **self._at(place), delta=piece.arguments)

    def _call_done(self, place: int, status: str) -> Iterator[Fields]:
        item = self._items[place]
        if item["type"] == "custom_tool_call":
            yield self._event("response.custom_tool_call_input.done", **self._at(place), input=item["input"])
        else:
            done = {"name": item["name"], "arguments": item["arguments"]}
            yield self._event("response.function_call_arguments.done", **self._at(place), **done)
        item["status"] = status
        yield self._event("response.output_item.done", output_index=place, item=_copy(item))

    def _part(self, part: Part) -> Iterator[Fields]:
        """What comes whole: a generated image, or an item of OpenAI's own tools.

        Clients read an item as one of a list, so what only another dialect knows stands beside them, in ``other_parts`` of
        the finished response.
        """
        match part:
            case OtherPart(data={"type": str(kind), "id": str()}) if kind in _ITEMS or kind.endswith(_ITEM):
                item = dict(part.data)
            case ImagePart():
                made = part.url.partition(";base64,")[2] or part.url
                item = {"id": f"ig_{self._id}{len(self._items):02x}", "type": "image_generation_call", "result": made}
                item["status"] = "completed"
            case TextPart():
                return
            case _:
                self.response.setdefault("other_parts", []).append(msgspec.to_builtins(part))
                return
        yield from self._close()
        place = len(self._items)
        yield from self._add(item)
        yield self._event("response.output_item.done", output_index=place, item=_copy(item))


SHOWS = Shows(lambda _: True, several=False)
"""What a response can hold: all parts of one answer, some of them in ``other_parts``."""


def usage_out(usage: Usage) -> Fields:
    """Token counts; the wire has a number in every place."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens or 0,
            "cache_write_tokens": usage.cache_write_tokens or 0,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _empty_text() -> Fields:
    return {"type": "output_text", "text": "", "annotations": [], "logprobs": []}


def _copy(item: Fields) -> Fields:
    """As it is now: events are written before the next one, but tests and callers may keep them."""
    return {name: list(value) if isinstance(value, list) else value for name, value in item.items()}
