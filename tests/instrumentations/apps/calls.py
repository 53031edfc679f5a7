"""The calls that every application on OpenAI's client makes: whole and streamed, with a tool on offer, and a failing one."""

from __future__ import annotations

import contextlib

import openai
from otel_setup import OPTIONS, SAID, WEATHER

ANSWERED = [
    *SAID[:1],
    {"role": "user", "content": "How is the weather in Paris?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "Sunny, 20 degrees."},
]


def make_calls() -> None:
    """Drive the model."""
    client = openai.OpenAI(max_retries=0)
    client.chat.completions.create(messages=SAID, **OPTIONS)
    stream = client.chat.completions.create(
        messages=SAID, stream=True, stream_options={"include_usage": True}, **OPTIONS
    )
    for _ in stream:
        pass
    client.chat.completions.create(messages=ANSWERED, tools=[WEATHER], **OPTIONS)
    with contextlib.suppress(openai.NotFoundError):
        client.chat.completions.create(messages=SAID, **{**OPTIONS, "model": "local/nobody"})
