from __future__ import annotations

import asyncio
import gc
import inspect
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any

import pytest
from openai.types.chat import ChatCompletion
from opentelemetry import baggage
from opentelemetry import trace as otel
from opentelemetry.proto.trace.v1.trace_pb2 import Span

import noria

from .collector import Collector, attributes


def sent(collector: Collector) -> list[Span]:
    assert noria.flush(10)
    return collector.spans


def only(collector: Collector) -> tuple[Span, dict[str, Any]]:
    [span] = sent(collector)
    return span, attributes(span)


def value(found: dict[str, Any], name: str) -> Any:
    return json.loads(found[name])


# -- functions


def test_a_function(configured: Collector) -> None:
    @noria.trace
    def plan(goal: str, /, *more: int, tone: str = "dry") -> dict[str, int]:
        """Docs."""
        return {"steps": len(more)}

    assert plan("tea", 1, 2, tone="warm") == {"steps": 2}
    assert (plan.__name__, plan.__doc__) == ("plan", "Docs.")
    span, found = only(configured)
    assert span.name == "test_a_function.plan"
    assert value(found, "input.value") == {"goal": "tea", "more": [1, 2], "tone": "warm"}
    assert value(found, "output.value") == {"steps": 2}
    assert found["gen_ai.operation.name"] == "step"
    assert span.end_time_unix_nano >= span.start_time_unix_nano > 0
    path, headers = configured.requests[0]
    assert path == "/v1/traces"
    assert headers["authorization"] == "Bearer k"


def test_methods_are_recorded_without_self(configured: Collector) -> None:
    class Planner:
        @noria.trace
        def plan(self, goal: str) -> str:
            return goal

        @noria.trace
        @staticmethod
        def still(goal: str) -> str:
            return goal

        @noria.trace
        @classmethod
        def of(cls, goal: str) -> str:
            return goal

    assert Planner().plan("a") + Planner.still("b") + Planner.of(goal="c") == "abc"
    assert [value(attributes(span), "input.value") for span in sent(configured)] == [{"goal": one} for one in "abc"]


def test_a_wrong_call_fails_as_ever(configured: Collector) -> None:
    @noria.trace
    def plan(goal: str) -> str:
        return goal

    with pytest.raises(TypeError, match="unexpected keyword"):
        plan("a", wrong=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required"):
        plan()  # type: ignore[call-arg]


def test_steps_within_steps(configured: Collector) -> None:
    @noria.trace("inner", kind="tool")
    def inner(x: int) -> int:
        return x + 1

    with noria.trace("outer") as outer:
        assert inner(1) == 2
        assert otel.get_current_span() is outer.span
    assert otel.get_current_span() is otel.INVALID_SPAN
    inner_span, outer_span = sent(configured)
    assert inner_span.parent_span_id == outer_span.span_id == bytes.fromhex(outer.span_id)
    assert inner_span.trace_id == outer_span.trace_id == bytes.fromhex(outer.trace_id)
    found = attributes(inner_span)
    assert found["gen_ai.operation.name"] == "execute_tool"
    assert found["gen_ai.tool.name"] == "inner"
    assert value(found, "gen_ai.tool.call.arguments") == {"x": 1}
    assert value(found, "gen_ai.tool.call.result") == 2


def test_an_exception(configured: Collector) -> None:
    @noria.trace
    def fail(secret: str) -> None:
        raise ValueError(f"bad {secret}")

    with pytest.raises(ValueError, match="bad milk"):
        fail("milk")
    span, found = only(configured)
    assert span.status.code == 2
    assert span.status.message == "bad milk"
    assert found["error.type"] == "ValueError"
    [event] = span.events
    details = attributes(event)
    assert details["exception.message"] == "bad milk"
    assert "in fail" in details["exception.stacktrace"]


def test_nothing_is_captured_where_nobody_wants_it(configured: Collector) -> None:
    @noria.trace(capture=False)
    def secretly(text: str) -> str:
        raise ValueError(text)

    with pytest.raises(ValueError, match="SECRET"):
        secretly("SECRET")
    with noria.trace("block", capture=False) as span:
        span.set(input="SECRET", output="SECRET", documents=["SECRET"], variables={"a": "SECRET"}, size=3)
    assert "SECRET" not in str(sent(configured))
    assert attributes(configured.named("block"))["size"] == 3


def test_capture_can_be_off_for_all_and_on_for_one(collector: Collector) -> None:
    noria.configure(url=collector.url, capture=False, linger_s=0.01)

    @noria.trace
    def silent(text: str) -> str:
        return text * 1

    @noria.trace(capture=True)
    def spoken(text: str) -> str:
        return text

    silent("SECRET")
    spoken("said")
    assert "SECRET" not in str(sent(collector))
    assert attributes(collector.spans[1])["output.value"] == "said"


def test_redaction_sees_everything_first(collector: Collector) -> None:
    def redact(name: str, found: Any) -> Any:
        if name == "output":
            raise RuntimeError(found)
        return json.loads(json.dumps(found).replace("SECRET", "***"))

    noria.configure(url=collector.url, redact=redact, linger_s=0.01)

    @noria.trace
    def say(text: str) -> str:
        return f"result {text}"

    word = "".join("SECRET")  # the lines of code are recorded, what they compute is not
    say(f"{word} a")
    with pytest.raises(ValueError), noria.trace("block", note=f"{word} b"):
        raise ValueError(f"{word} c")
    assert "SECRET" not in str(sent(collector))
    found = attributes(collector.spans[0])
    assert value(found, "input.value") == {"text": "*** a"}
    assert found["output.value"] == "[redaction failed]"
    assert attributes(collector.named("block"))["note"] == "*** b"
    assert collector.named("block").status.message == "*** c"


class Odd:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("no")


def test_whatever_is_passed_around_nothing_breaks(configured: Collector) -> None:
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    strange = [
        cyclic,
        Odd(),
        object(),
        {1: 2, (3,): 4},
        float("nan"),
        "\ud800",
        b"\xff",
        {1, "a"},
        lambda: 1,
        type,
        "\0",
    ]

    @noria.trace
    def pass_on(it: Any) -> Any:
        return it

    @noria.trace(kind="retrieval")
    def find(it: Any) -> Any:
        return it

    @noria.trace(kind="chat")
    def chat(messages: Any) -> Any:
        return messages

    for one in strange:
        for function in (pass_on, find, chat):
            assert function(one) is one
        with noria.trace("block") as span:
            span.set(input=one, output=one, documents=one, model=one, anything=one)
    assert len(sent(configured)) == 4 * len(strange)


def test_long_contents_are_cut_and_say_so(collector: Collector) -> None:
    noria.configure(url=collector.url, value_bytes=100, linger_s=0.01)

    @noria.trace
    def say(text: str) -> str:
        return text

    say("x" * 1000)
    _, found = only(collector)
    assert found["output.value"] == "x" * 100 + "…[cut]"
    assert found["noria.cut"] == ["output.value"]


# -- coroutines, threads


async def test_coroutines_side_by_side(configured: Collector) -> None:
    both = asyncio.Event()

    @noria.trace("child")
    async def child(n: int) -> None:
        await both.wait()

    @noria.trace("parent")
    async def parent(n: int) -> int:
        await child(n)
        return n

    assert inspect.iscoroutinefunction(parent)
    running = asyncio.gather(*(parent(n) for n in range(5)))
    await asyncio.sleep(0.01)
    both.set()
    assert await running == list(range(5))
    spans = await asyncio.to_thread(sent, configured)
    parents = {span.span_id: span for span in spans if span.name == "parent"}
    children = [span for span in spans if span.name == "child"]
    assert len({span.trace_id for span in spans}) == 5
    for span in children:
        assert value(attributes(span), "input.value") == value(attributes(parents[span.parent_span_id]), "input.value")


async def test_a_cancelled_coroutine_has_not_failed(configured: Collector) -> None:
    @noria.trace
    async def wait() -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(noria.flush)
    [span] = configured.spans
    assert attributes(span)["noria.status"] == "cancelled"
    assert (span.status.code, len(span.events)) == (0, 0)


async def test_a_block_in_a_coroutine(configured: Collector) -> None:
    async with noria.trace("block", kind="agent", user="ann") as span:
        await asyncio.sleep(0)
        span.set(name="renamed")
    await asyncio.to_thread(noria.flush)
    found = attributes(configured.named("renamed"))
    assert (found["gen_ai.operation.name"], found["gen_ai.agent.name"], found["user.id"]) == (
        "invoke_agent",
        "block",
        "ann",
    )


def test_threads(configured: Collector) -> None:
    @noria.trace
    def work(n: int) -> int:
        return n

    threads = [threading.Thread(target=lambda: [work(n) for n in range(200)]) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent(configured)) == 1000
    assert len({span.span_id for span in configured.spans}) == 1000


# -- generators


@noria.trace("count")
def count(to: int) -> Generator[str, int | None, str]:
    got = 0
    for n in range(to):
        with noria.trace("within"):
            pass
        got += (yield str(n)) or 0
    return f"done {got}"


def test_a_generator_read_to_its_end(configured: Collector) -> None:
    assert inspect.isgeneratorfunction(count)
    results = []

    def outer() -> Iterator[str]:
        results.append((yield from count(3)))

    for _ in outer():
        assert otel.get_current_span() is otel.INVALID_SPAN  # what the consumer does is no part of it
    assert results == ["done 0"]
    spans = sent(configured)
    whole = configured.named("count")
    assert [span.parent_span_id for span in spans if span.name == "within"] == [whole.span_id] * 3
    assert attributes(whole)["output.value"] == "012"
    assert "noria.closed_early" not in attributes(whole)


def test_a_generator_takes_what_is_sent_and_thrown(configured: Collector) -> None:
    @noria.trace("stubborn")
    def stubborn() -> Generator[str, str, None]:
        said = yield "first"
        try:
            yield f"got {said}"
        except KeyError:
            yield "caught"

    generator = stubborn()
    assert next(generator) == "first"
    assert generator.send("it") == "got it"
    assert generator.throw(KeyError("x")) == "caught"
    with pytest.raises(ZeroDivisionError):
        generator.throw(ZeroDivisionError())
    _, found = only(configured)
    assert found["error.type"] == "ZeroDivisionError"
    assert found["output.value"] == "firstgot itcaught"


def test_a_generator_that_is_closed_or_dropped_ends_its_step(configured: Collector) -> None:
    closed = []

    @noria.trace("stream")
    def stream() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(otel.get_current_span())

    first = stream()
    next(first)
    first.close()  # type: ignore[attr-defined]
    second = stream()
    next(second)
    del second
    gc.collect()
    stream()  # never asked: never began
    assert len(closed) == 2
    assert otel.INVALID_SPAN not in closed
    for span in sent(configured):
        assert attributes(span)["noria.closed_early"] is True
        assert value(attributes(span), "output.value") == [1]
        assert span.status.code == 0
    assert len(configured.spans) == 2


@noria.trace("astream")
async def astream(to: int) -> AsyncGenerator[str, str]:
    for n in range(to):
        with noria.trace("within"):
            await asyncio.sleep(0)
        said = yield str(n)
        if said == "stop":
            raise ValueError("stopped")


async def test_an_async_generator(configured: Collector) -> None:
    assert inspect.isasyncgenfunction(astream)
    async for _ in astream(3):
        assert otel.get_current_span() is otel.INVALID_SPAN
    await asyncio.to_thread(noria.flush)
    whole = configured.named("astream")
    assert attributes(whole)["output.value"] == "012"
    assert [s.parent_span_id for s in configured.spans if s.name == "within"] == [whole.span_id] * 3


async def test_an_async_generator_fails_is_closed_is_dropped(configured: Collector) -> None:
    failing = astream(3)
    await anext(failing)
    with pytest.raises(ValueError, match="stopped"):
        await failing.asend("stop")
    closed = astream(3)
    await anext(closed)
    await closed.aclose()
    dropped = astream(3)
    await anext(dropped)
    del dropped
    gc.collect()
    await asyncio.sleep(0.01)  # the loop closes it
    await asyncio.to_thread(noria.flush)
    found = [attributes(span) for span in configured.spans if span.name == "astream"]
    assert [one.get("error.type") for one in found] == ["ValueError", None, None]
    assert [one.get("noria.closed_early") for one in found] == [None, True, True]


# -- what a model's call says


REPLY = ChatCompletion.model_validate(
    {
        "id": "r1",
        "object": "chat.completion",
        "created": 1,
        "model": "m-1",
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {
                    "role": "assistant",
                    "content": "hm",
                    "tool_calls": [
                        {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"q":1}'}}
                    ],
                },
            }
        ],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 3,
            "total_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 2},
        },
    }
)


def test_a_reply_of_openais_client_fills_the_columns(configured: Collector) -> None:
    @noria.trace(kind="chat")
    def ask(messages: list[dict[str, Any]], model: str) -> ChatCompletion:
        return REPLY

    said = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "u"}}]},
        {"role": "tool", "tool_call_id": "c0", "content": "42"},
    ]
    assert ask(said, model="m") is REPLY
    _, found = only(configured)
    assert value(found, "gen_ai.input.messages") == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {
            "role": "user",
            "parts": [{"type": "text", "content": "hi"}, {"type": "image_url", "image_url": {"url": "u"}}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c0", "response": "42"}]},
    ]
    call = {"type": "tool_call", "id": "c1", "name": "look", "arguments": '{"q":1}'}
    assert value(found, "gen_ai.output.messages") == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "hm"}, call],
            "finish_reason": "tool_calls",
        }
    ]
    assert found["gen_ai.response.model"] == "m-1"
    assert found["gen_ai.response.finish_reasons"] == ["tool_calls"]
    numbers = {
        name: found[f"gen_ai.usage.{name}"] for name in ("input_tokens", "output_tokens", "cache_read.input_tokens")
    }
    assert numbers == {"input_tokens": 7, "output_tokens": 3, "cache_read.input_tokens": 2}


def test_documents(configured: Collector) -> None:
    class Page:
        page_content = "three"
        metadata = {"title": "C"}

    @noria.trace(kind="retrieval")
    def find(query: str) -> list[Any]:
        return ["one", ({"text": "two", "id": "b", "title": "B"}, 0.5), Page()]

    find("tea")
    _, found = only(configured)
    assert found["gen_ai.retrieval.query.text"] == "tea"
    assert value(found, "gen_ai.retrieval.documents") == [
        {"content": "one"},
        {"content": "two", "id": "b", "score": 0.5, "metadata": {"title": "B"}},
        {"content": "three", "metadata": {"title": "C"}},
    ]


# -- surroundings


def test_session_and_user_hold_for_everything_in_the_block(configured: Collector) -> None:
    foreign = otel.get_tracer("somebody's instrumentation")
    with noria.trace("warm up"):
        pass
    with (
        noria.context(session="s1", user="u1", tenant="t"),
        noria.trace("a"),
        foreign.start_as_current_span("b"),
        noria.context(user="u2"),
        noria.trace("c"),
    ):
        pass
    with noria.trace("after"):
        pass
    assert noria.flush()

    def around(name: str) -> list[Any]:
        found = attributes(configured.named(name))
        return [found.get(key) for key in ("gen_ai.conversation.id", "user.id", "tenant")]

    assert around("a") == around("b") == ["s1", "u1", "t"]
    assert around("c") == ["s1", "u2", "t"]
    assert around("after") == [None] * 3


def test_users_leave_the_process_only_when_told_to(configured: Collector) -> None:
    with noria.context(session="s1", user="u1"):
        assert baggage.get_all() == {}
    with noria.context(session="s1", user="u1", propagate=True):
        assert baggage.get_all() == {"session.id": "s1", "user.id": "u1"}
        with noria.trace("a"):
            pass
    assert noria.flush()
    assert attributes(configured.named("a"))["user.id"] == "u1"


async def test_tasks_inherit_their_surroundings(configured: Collector) -> None:
    @noria.trace("task")
    async def work() -> None:
        await asyncio.sleep(0)

    @noria.context(session="s1")
    async def request() -> AsyncIterator[None] | None:
        await asyncio.create_task(work())
        return None

    with noria.context(session="s2"):
        task = asyncio.create_task(work())
    await task
    await asyncio.to_thread(noria.flush)
    assert attributes(configured.spans[0])["gen_ai.conversation.id"] == "s2"


def chunk(**changes: Any) -> dict[str, Any]:
    return {"id": "r1", "model": "m-1", "choices": [], **changes}


def test_a_streamed_reply_is_put_together(configured: Collector) -> None:
    @noria.trace(kind="chat")
    def ask(messages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        piece = {"index": 0, "function": {"arguments": '"a"}'}}
        begun = {"index": 0, "id": "c1", "function": {"name": "look", "arguments": '{"q":'}}
        yield chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}])
        yield chunk(choices=[{"index": 0, "delta": {"content": "lo", "tool_calls": [begun]}}])
        yield chunk(choices=[{"index": 0, "delta": {"tool_calls": [piece]}, "finish_reason": "tool_calls"}])
        yield chunk(usage={"prompt_tokens": 3, "completion_tokens": 2})

    for found in ask([{"role": "user", "content": "hi"}]):
        found.clear()  # the consumer may do as it likes
    span, found = only(configured)
    assert value(found, "gen_ai.output.messages") == [
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "content": "Hello"},
                {"type": "tool_call", "id": "c1", "name": "look", "arguments": '{"q":"a"}'},
            ],
            "finish_reason": "tool_calls",
        }
    ]
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (3, 2)
    assert (found["gen_ai.response.model"], found["gen_ai.response.finish_reasons"]) == ("m-1", ["tool_calls"])
    assert (
        0 <= found["gen_ai.response.time_to_first_chunk"] <= (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
    )


def test_a_stream_without_capture_keeps_nothing_but_its_time(configured: Collector) -> None:
    @noria.trace(kind="chat", capture=False)
    def ask(messages: str) -> Iterator[str]:
        yield "SECRET"

    assert list(ask("SECRET")) == ["SECRET"]
    assert "SECRET" not in str(sent(configured))
    assert "gen_ai.response.time_to_first_chunk" in attributes(configured.spans[0])
