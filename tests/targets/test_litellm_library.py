"""LiteLLM as a library: how its chunks and errors are read."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from noria.core.errors import CallCut, CallFailed, CallRefused, CallTimeout, InvalidInput
from noria.core.events import Sent
from noria.core.folding import collect
from noria.core.messages import Message
from noria.core.replies import Usage
from noria.core.requests import Request, ToEmbed
from noria.targets.egress import Timeouts
from noria.targets.litellm import LiteLLM, load
from noria.wires.openai_chat import OpenAIChat

from .contract import events_until_error

ASK = Request(model="tail/groq/llama", messages=(Message(role="user", content="Hi?"),))


class Item:
    """What the library hands out: a model of pydantic's."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def model_dump(self, mode: str) -> dict[str, Any]:
        assert mode == "json"
        return self._fields


def chunk(text: str | None = None, reason: str | None = None, **more: Any) -> Item:
    choice = {"index": 0, "delta": {"content": text, "role": "assistant"}, "finish_reason": reason, "logprobs": None}
    return Item(id="chatcmpl-1", model="llama", object="chat.completion.chunk", choices=[choice], **more)


class Library:
    """Plays its chunks; an error among them is raised, a number waited for."""

    def __init__(self, *steps: Any) -> None:
        self.steps = steps
        self.asked: dict[str, Any] = {}
        self.closed = False

    async def __call__(self, **asked: Any) -> Any:
        self.asked = asked
        if self.steps and isinstance(self.steps[0], Exception):
            raise self.steps[0]
        return self if asked["stream"] else self.steps[0]

    async def __aiter__(self) -> AsyncIterator[Any]:
        for step in self.steps:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, float):
                await asyncio.sleep(step)
            else:
                yield step

    async def aclose(self) -> None:
        self.closed = True


def called(library: Library, **more: Any) -> LiteLLM:
    settings: dict[str, Any] = {
        "base_url": "http://up",
        "api_key": "sk-secret",
        "provider": "tail",
        "model": "groq/llama",
    }
    return LiteLLM(OpenAIChat(), load=lambda: library, **settings | more)


class Refused(Exception):
    status_code = 429
    message = "litellm.RateLimitError: key sk-secret is over its limit at http://up:80/v1, says up; see upstream docs"


async def test_chunks_are_read_as_a_servers() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    library = Library(chunk("Hel"), chunk("lo"), chunk(reason="stop"), Item(id="chatcmpl-1", choices=[], usage=usage))
    seen, error = await events_until_error(called(library).call(ASK))
    assert error is None
    assert isinstance(seen[0], Sent)
    reply = await collect(called(library).call(ASK))
    assert (reply.text, reply.model, reply.usage) == ("Hello", "llama", Usage(input_tokens=5, output_tokens=2))
    assert library.closed
    assert library.asked["model"] == "groq/llama"
    assert library.asked["api_base"] == "http://up"
    assert (library.asked["api_key"], library.asked["drop_params"], library.asked["max_retries"]) == (
        "sk-secret",
        False,
        0,
    )


async def test_a_whole_reply() -> None:
    message = {"role": "assistant", "content": "Hello"}
    whole = Item(id="x", model="llama", choices=[{"index": 0, "message": message, "finish_reason": "stop"}])
    assert (await collect(called(Library(whole), stream=False).call(ASK))).text == "Hello"


async def test_an_error_has_the_providers_status_and_not_its_key() -> None:
    _, error = await events_until_error(called(Library(Refused())).call(ASK))
    assert isinstance(error, CallRefused)
    assert (error.status, error.retryable) == (429, True)
    assert "over its limit" in str(error)
    assert "sk-secret" not in str(error)
    assert "its limit at provider `tail`, says provider `tail`; see upstream docs" in str(error)
    assert error.inside.startswith("Called at http://up. In full: ")
    assert "its limit at http://up:80/v1, says up" in error.inside
    _, error = await events_until_error(called(Library(chunk("Hel"), ValueError("odd"))).call(ASK))
    assert isinstance(error, CallFailed)
    assert error.status == 502


async def test_a_stream_that_ends_early_is_cut_and_one_that_stalls_times_out() -> None:
    _, error = await events_until_error(called(Library(chunk("Hel"))).call(ASK))
    assert isinstance(error, CallCut)
    library = Library(chunk("Hel"), 5.0, chunk("lo"))
    _, error = await events_until_error(called(library, timeouts=Timeouts(idle_s=0.05)).call(ASK))
    assert isinstance(error, CallTimeout)
    assert library.closed


async def test_what_it_does_not_carry_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="no embeddings"):
        await collect(called(Library()).call(Request(model="m", embed=ToEmbed(inputs=("a",)))))
    elsewhere = Request(model="m", wire="anthropic", unread={"container": "x"})
    with pytest.raises(InvalidInput, match="`container` can't be carried"):
        await collect(called(Library()).call(elsewhere))


async def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litellm", None)
    with pytest.raises(InvalidInput, match=r"Install noria\[litellm\]"):
        load()


@pytest.mark.parametrize(
    "name", ["base_url", "fallbacks", "extra_headers", "model_list", "mock_response", "extra_body"]
)
async def test_a_caller_does_not_choose_where_the_key_goes(name: str) -> None:
    library = Library(chunk("Hi."), chunk(reason="stop"))
    fields = {name: "http://elsewhere", "user": "u1"}
    asked = msgspec.structs.replace(ASK, wire="openai_chat", unread=fields)
    _, error = await events_until_error(called(library).call(asked))
    assert isinstance(error, InvalidInput)
    assert name in str(error)
    assert not library.asked
    allowed = msgspec.structs.replace(asked, may_drop=(name,))
    sent = [event async for event in called(library).call(allowed) if isinstance(event, Sent)]
    assert sent[0].dropped == (name,)
    assert name not in library.asked
    assert (library.asked["user"], library.asked["api_base"]) == ("u1", "http://up")
