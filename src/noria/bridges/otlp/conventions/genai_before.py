"""OpenTelemetry's GenAI conventions as they were until 2025, which many instrumentations still send.

``gen_ai.system``, one event a message (``gen_ai.user.message``, ``gen_ai.choice``), and flattened or JSON messages in
``gen_ai.prompt`` and ``gen_ai.completion``. Pydantic AI's and Logfire's own forms of the same are here, too.

Source: https://github.com/open-telemetry/semantic-conventions, docs/gen-ai, releases 1.27 to 1.36
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from noria.bridges.otlp.conventions.draft import (
    Column,
    Convention,
    Draft,
    Tree,
    branches,
    claim,
    count,
    number,
    text,
    texts,
)
from noria.bridges.otlp.conventions.genai import tool
from noria.bridges.otlp.messages import as_text, message_of, parsed, role_of, said, text_message
from noria.bridges.otlp.raw import Attributes, RawEvent
from noria.core.messages import Message

_SURFACES = (".chat", ".responses", ".completion", ".messages", ".embedding", ".generative-ai")
"""Vercel's SDK appends which of a provider's interfaces it spoke to."""
MESSAGE_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.choice": "assistant",
}
"""Events that are one message each, and who speaks in it."""


_PLAIN = frozenset({"role", "content", "finish_reason"})


def provider(value: Any) -> str | None:
    """A provider's name without the interface that was spoken."""
    name = text(value)
    for surface in _SURFACES:
        name = name.removesuffix(surface) if name else name
    return name


def read(draft: Draft, taken: Attributes) -> None:
    """Messages."""
    for key in ("pydantic_ai.all_messages", "all_messages_events", "events"):
        if key in taken:
            _conversation(draft, taken, key)
    _flattened(draft, taken, "gen_ai.prompt", "input")
    _flattened(draft, taken, "gen_ai.completion", "output")
    if "tool_arguments" in taken or "tool_response" in taken:
        tool(draft, taken, arguments="tool_arguments", result="tool_response", call_id="gen_ai.tool.call.id")
    if "final_result" in taken:
        claim(draft, taken, "final_result", "output", text_message("assistant", as_text(taken["final_result"])))


def _conversation(draft: Draft, taken: Attributes, key: str) -> None:
    """One list of all that was said. What an assistant says last is the output."""
    items = parsed(taken[key])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return
    named = [{"role": MESSAGE_EVENTS.get(str(item.get("event.name")), "user")} | item for item in items]
    spoken = said(named)
    if spoken is None:
        return
    messages = spoken.messages
    split = len(messages) - 1 if messages and messages[-1].role == "assistant" else len(messages)
    known = [draft.offer("input", messages[:split])] if messages[:split] else []
    known += [draft.offer("output", messages[split:])] if messages[split:] else []
    if all(known):
        del taken[key]


def _flattened(draft: Draft, taken: Attributes, key: str, column: str) -> None:
    role = "user" if column == "input" else "assistant"
    if key in taken:
        spoken = said(taken[key], role=role)
        messages = spoken.messages if spoken else text_message(role, as_text(taken[key]))  # type: ignore[arg-type]  # one of two roles
        claim(draft, taken, key, column, messages)
    if key not in draft.trees:
        return
    found = Tree(taken, key)
    reasons: list[str] = []
    messages = tuple(_item(item, role, reasons) for item in found.items.values())
    if draft.offer(column, messages):
        if reasons and column == "output":
            draft.offer("finish_reasons", tuple(reasons))
        found.settle()


def _item(item: dict[str, Any], role: str, reasons: list[str]) -> Message:
    """One flattened message; takes out what it understands."""
    if item.keys() <= _PLAIN and isinstance(content := item.get("content"), str) and not content.startswith("[{"):
        if isinstance(reason := item.get("finish_reason"), str):
            reasons.append(reason)
        message = Message(role=role_of(item.get("role"), role), content=content)
        item.clear()
        return message
    calls = branches(item, "tool_calls")
    written: dict[str, Any] = {
        "role": item.pop("role", role),
        "tool_calls": [
            {name: call.get(name) for name in ("id", "name", "arguments") if name in call} for call in calls.values()
        ],
    }
    content = item.pop("content", "")
    inner = parsed(content) if isinstance(content, str) and content.startswith("[{") else None
    written["content"] = inner if isinstance(inner, list) else content
    for name in ("tool_call_id", "refusal", "reasoning_content"):
        if name in item:
            written[name] = item.pop(name)
    if isinstance(reason := item.get("finish_reason"), str):
        reasons.append(reason)
        del item["finish_reason"]
    for index, call in calls.items():
        for name in call:
            if name in {"id", "name", "arguments"}:
                del item[f"tool_calls.{index}.{name}"]
    return message_of(written)[0]


def read_events(draft: Draft, events: Iterable[RawEvent]) -> list[RawEvent]:
    """Messages that came as events of the span, one each. Returns the events that are none."""
    inputs: list[Message] = []
    outputs: list[tuple[int, Message]] = []
    reasons: list[str] = []
    others: list[RawEvent] = []
    mine: list[RawEvent] = []
    for event in events:
        details = event.attributes
        if event.name in MESSAGE_EVENTS:
            written = {key: parsed(value) or value for key, value in details.items() if key != "gen_ai.system"}
            if isinstance(body := written.pop("gen_ai.event.content", None), dict):  # the first of all forms
                written |= body
            found = message_of({"role": MESSAGE_EVENTS[event.name]} | written, role=MESSAGE_EVENTS[event.name])
            if event.name == "gen_ai.choice":
                outputs += [(count(written.get("index")) or 0, message) for message in found]
                if isinstance(reason := written.get("finish_reason"), str):
                    reasons.append(reason)
            else:
                inputs += found
            mine.append(event)
        elif event.name == "gen_ai.content.prompt" and (spoken := said(details.get("gen_ai.prompt"))):
            inputs += spoken.messages
            mine.append(event)
        elif event.name == "gen_ai.content.completion" and (
            spoken := said(details.get("gen_ai.completion"), role="assistant")
        ):
            outputs += [(0, message) for message in spoken.messages]
            mine.append(event)
        else:
            others.append(event)
    if not mine:
        return others
    answers = tuple(message for _, message in sorted(outputs, key=lambda pair: pair[0]))
    known = [draft.offer("input", tuple(inputs))] if inputs else []
    known += [draft.offer("output", answers)] if answers else []
    if reasons:
        draft.offer("finish_reasons", tuple(reasons))
    return others if all(known) else sorted([*others, *mine], key=lambda event: event.time_ns)


GENAI_BEFORE = Convention(
    "OpenTelemetry GenAI until 2025",
    read,
    {
        "gen_ai.system": Column("provider", provider),
        "gen_ai.usage.prompt_tokens": Column("input_tokens", count),
        "gen_ai.usage.completion_tokens": Column("output_tokens", count),
        "gen_ai.usage.cache_read_input_tokens": Column("cached_tokens", count),
        "gen_ai.usage.details.cache_read_tokens": Column("cached_tokens", count),
        "gen_ai.usage.reasoning_tokens": Column("reasoning_tokens", count),
        "gen_ai.usage.details.reasoning_tokens": Column("reasoning_tokens", count),
        "gen_ai.response.finish_reason": Column("finish_reasons", texts),
        "gen_ai.openai.request.seed": Column("seed", number, param=True),
        "gen_ai.request.n": Column("n", count, param=True),
        "gen_ai.request.max_completion_tokens": Column("max_tokens", count, param=True),
        "gen_ai.user": Column("user_id", text),
        "operation.cost": Column("cost_usd", number),  # Logfire
    },
    keys=frozenset(
        {
            "gen_ai.prompt",
            "gen_ai.completion",
            "pydantic_ai.all_messages",
            "all_messages_events",
            "events",
            "tool_arguments",
            "tool_response",
            "final_result",
        }
    ),
    trees=frozenset({"gen_ai.prompt", "gen_ai.completion"}),
)
