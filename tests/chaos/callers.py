"""The official client of each wire in, and what it made of a call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx
import openai
from google import genai
from google.genai import errors, types

HI: list[Any] = [{"role": "user", "content": "hi"}]


@dataclass(frozen=True)
class Outcome:
    """What a caller saw."""

    text: str
    """Of the answer, as far as it came."""
    raised: bool
    """The client raised; else the reply ended as a whole one."""
    status: int = 200
    """Of the response."""
    odd: str = ""
    """What the client raised, where that is none of its own errors."""
    said: str = ""
    """What its error says."""


Call = Callable[[str, bool, dict[str, str]], Awaitable[Outcome]]
"""Calls a model, streamed or not, with further headers."""


@asynccontextmanager
async def callers(url: str, key: str) -> AsyncIterator[Mapping[str, Call]]:
    """A caller for each wire in."""
    async with (
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as chat,
        anthropic.AsyncAnthropic(base_url=url, api_key=key, max_retries=0) as messages,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        google = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url, httpx_async_client=http)).aio
        yield {
            "openai": _chat(chat),
            "openai_responses": _responses(chat),
            "anthropic": _messages(messages),
            "google": _google(google),
        }


def _chat(client: openai.AsyncOpenAI) -> Call:
    async def call(model: str, stream: bool, headers: dict[str, str]) -> Outcome:
        pieces: list[str] = []
        try:
            if not stream:
                reply = await client.chat.completions.create(model=model, messages=HI, extra_headers=headers)
                return Outcome(reply.choices[0].message.content or "", raised=False)
            chunks = await client.chat.completions.create(model=model, messages=HI, stream=True, extra_headers=headers)
            async for chunk in chunks:
                pieces += [choice.delta.content or "" for choice in chunk.choices]
        except openai.APIStatusError as error:
            return Outcome("".join(pieces), raised=True, status=error.status_code, said=f"{error}")
        except openai.APIError as error:
            return Outcome("".join(pieces), raised=True, said=f"{error}")
        return Outcome("".join(pieces), raised=False)

    return call


def _responses(client: openai.AsyncOpenAI) -> Call:
    async def call(model: str, stream: bool, headers: dict[str, str]) -> Outcome:
        pieces: list[str] = []
        try:
            if not stream:
                reply = await client.responses.create(model=model, input="hi", store=False, extra_headers=headers)
                return Outcome(reply.output_text, raised=False)
            last = ""
            events = await client.responses.create(
                model=model, input="hi", store=False, stream=True, extra_headers=headers
            )
            async for event in events:
                last = event.type
                pieces += [event.delta] if event.type == "response.output_text.delta" else []
        except openai.APIStatusError as error:
            return Outcome("".join(pieces), raised=True, status=error.status_code, said=f"{error}")
        except openai.APIError as error:
            return Outcome("".join(pieces), raised=True, said=f"{error}")
        assert last == "response.completed", "a clean end without its mark"
        return Outcome("".join(pieces), raised=False)

    return call


def _messages(client: anthropic.AsyncAnthropic) -> Call:
    async def call(model: str, stream: bool, headers: dict[str, str]) -> Outcome:
        pieces: list[str] = []
        asked: dict[str, Any] = {"model": model, "messages": HI, "max_tokens": 99, "extra_headers": headers}
        try:
            if not stream:
                reply = await client.messages.create(**asked)
                return Outcome("".join(getattr(block, "text", "") for block in reply.content), raised=False)
            kinds: list[str] = []
            async for event in await client.messages.create(**asked, stream=True):
                kinds.append(event.type)
                pieces += (
                    [event.delta.text]
                    if event.type == "content_block_delta" and event.delta.type == "text_delta"
                    else []
                )
        except anthropic.APIStatusError as error:
            return Outcome("".join(pieces), raised=True, status=error.response.status_code, said=f"{error}")
        assert kinds[-1] == "message_stop", "a clean end without its mark"
        return Outcome("".join(pieces), raised=False)

    return call


def _google(client: genai.client.AsyncClient) -> Call:
    async def call(model: str, stream: bool, headers: dict[str, str]) -> Outcome:
        pieces: list[str] = []
        config = types.GenerateContentConfig(http_options=types.HttpOptions(headers=headers))
        asked: dict[str, Any] = {"model": model, "contents": "hi", "config": config}
        try:
            if not stream:
                return Outcome((await client.models.generate_content(**asked)).text or "", raised=False)
            async for piece in await client.models.generate_content_stream(**asked):
                pieces.append(piece.text or "")  # noqa: PERF401  # what came before an error is kept
        except errors.APIError as error:
            began = bool(pieces)
            return Outcome("".join(pieces), raised=True, status=200 if began else error.code, said=f"{error}")
        return Outcome("".join(pieces), raised=False)

    return call
