"""Kept replies: what is answered from them, what never is, and for whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from noria.core.caching import CACHE, SIMILARITY, WHY_NOT, CachePolicy, KeptReply, Similar, calibration_id
from noria.core.errors import CallFailed, CallRefused
from noria.core.events import Delta, Embedded, Event, Raw, Sent, Started, Stopped, Used
from noria.core.folding import collect
from noria.core.keys import Caller
from noria.core.messages import ImagePart, Message, TextPart
from noria.core.replies import Usage
from noria.core.requests import Lineage, Parameters, Request, ToEmbed, Tool, TraceContext
from noria.targets.reusing import MOST_BYTES, Reusing
from noria.targets.scripted import Scripted, answer

from .clock import Ticking
from .contract import events_until_error

TRACE = TraceContext(trace_id="t" * 32, parent_id="s" * 16)
ASK = Request(model="m", messages=(Message(role="user", content="Hi?"),), trace=TRACE, wire="w")


PLAIN = CachePolicy()


class Shelf:
    """Replies in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, KeptReply] = {}

    async def find(self, key: str) -> KeptReply | None:
        return self.kept.get(key)

    async def near(self, about: str, embedder: str, vector: bytes, threshold: float) -> tuple[KeptReply, float] | None:
        found = [one for one in self.kept.values() if (one.about, one.embedder) == (about, embedder)]
        return (found[0], 0.97) if found and threshold <= 0.97 else None

    def keep(self, reply: KeptReply) -> None:
        self.kept[reply.key] = reply

    def forget(self, *, user: str = "", traces: Iterable[str] = ()) -> int:
        return 0


class Scene:
    def __init__(self, script: Any = None, policy: CachePolicy = PLAIN, embed: Any = None) -> None:
        self.inner = Scripted(script or (lambda _: answer("Hel", "lo")))
        self.shelf, self.clock, self.slept = Shelf(), Ticking(), []
        self.target = Reusing(self.inner, self.shelf, policy, now=self.clock, sleep=self.sleep, embed=embed)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def ask(self, request: Request = ASK, **changes: Any) -> tuple[str, Sent]:
        """The text, and what the recorder is told."""
        seen, error = await events_until_error(self.target.call(msgspec.structs.replace(request, **changes)))
        if error:
            raise error
        [sent] = [event for event in seen if isinstance(event, Sent)]

        async def again() -> Any:
            for event in seen:
                yield event

        return (await collect(again())).text, sent

    async def twice(self, request: Request = ASK, second: Request | None = None) -> str:
        """What the cache did with the second of two calls."""
        await self.ask(request)
        _, sent = await self.ask(request if second is None else second)
        return str(sent.request.attributes[CACHE])


async def test_the_second_call_is_answered_without_the_model() -> None:
    scene = Scene()
    assert (await scene.ask())[1].request.attributes[CACHE] == "miss"
    text, sent = await scene.ask()
    assert (text, len(scene.inner.requests)) == ("Hello", 1)
    assert sent.request.attributes[CACHE] == "hit"
    assert (sent.replays, sent.provider) == (f"{'t' * 32}/{'s' * 16}", "scripted")


@pytest.mark.parametrize(
    "second",
    [
        {"model": "other"},
        {"messages": (Message(role="user", content="hi?"),)},
        {"params": Parameters(max_tokens=3)},
        {"wire": "other"},
        {"may_drop": ("seed",)},
        {"unread": {"x": 1}},
        {"lineage": Lineage(app="another")},
    ],
)
async def test_another_question_is_another_call(second: dict[str, Any]) -> None:
    assert await Scene().twice(second=msgspec.structs.replace(ASK, **second)) == "miss"


@pytest.mark.parametrize("scope", ["user", "key", "team"])
async def test_no_reply_crosses_its_scope(scope: Any) -> None:
    def of(who: str) -> Request:
        return msgspec.structs.replace(ASK, lineage=Lineage(user_id=who), caller=Caller(key_id=who, team=who))

    scene = Scene(policy=CachePolicy(scope=scope))
    assert await scene.twice(of("ann"), of("bob")) == "miss"
    assert (await scene.ask(of("ann")))[1].request.attributes[CACHE] == "hit"
    _, nobodys = await scene.ask()
    assert nobodys.request.attributes[WHY_NOT] == f"the call names no {scope}"


SEARCH = Tool(name="search", hosted={"type": "web_search"})
PICTURE = Message(role="user", content=(TextPart(text="?"), ImagePart(url="https://a.example/b.png")))
INLINE = Message(role="user", content=(TextPart(text="?"), ImagePart(url="data:image/png;base64,AA==")))


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"params": Parameters(temperature=0.7)}, "skip"),
        ({"params": Parameters(temperature=0.0)}, "hit"),
        ({"tools": (SEARCH,)}, "skip"),
        ({"tools": (Tool(name="add"),)}, "hit"),
        ({"messages": (PICTURE,)}, "skip"),
        ({"messages": (INLINE,)}, "hit"),
        ({"unread": {"previous_response_id": "r"}}, "skip"),
        ({"unread": {"store": False}}, "hit"),
        ({"cache": "skip"}, "skip"),
        ({"cache": "refresh"}, "miss"),
    ],
)
async def test_what_is_left_aside(changes: dict[str, Any], outcome: str) -> None:
    assert await Scene().twice(msgspec.structs.replace(ASK, **changes)) == outcome


async def test_sampled_replies_are_kept_where_the_policy_says_so() -> None:
    scene = Scene(policy=CachePolicy(sampled=True))
    assert await scene.twice(msgspec.structs.replace(ASK, params=Parameters(temperature=1.0))) == "hit"


async def test_refresh_puts_a_new_reply_in_the_place_of_the_old_one() -> None:
    texts = iter(["old", "new"])
    scene = Scene(lambda _: answer(next(texts)))
    await scene.ask()
    await scene.ask(cache="refresh")
    assert (await scene.ask())[0] == "new"


async def test_only_asks_no_model() -> None:
    scene = Scene()
    with pytest.raises(CallFailed, match="No kept reply") as failed:
        await scene.ask(cache="only")
    assert (failed.value.status, scene.inner.requests) == (504, [])
    await scene.ask()
    assert (await scene.ask(cache="only"))[0] == "Hello"


@pytest.mark.parametrize(
    "script",
    [
        [CallRefused("No.", status=429)],
        [Started(), Delta(text="half"), CallFailed("Broken.")],
        [Started(), Delta(text="half")],
        list(answer("no", reason="content_filter")),
        list(answer("x" * (MOST_BYTES + 1))),
        [*answer("The ")[:2], Sent(request=ASK, provider="two", continues=4), *answer("wheel")[1:]],
    ],
)
async def test_what_failed_or_was_cut_or_is_too_large_is_not_kept(script: list[Any]) -> None:
    scene = Scene(lambda _: script)
    await events_until_error(scene.target.call(ASK))
    assert scene.shelf.kept == {}


async def test_vectors_are_kept_too() -> None:
    scene = Scene(lambda _: [Embedded(index=0, vector=(0.5, 1.0)), Used(usage=Usage(input_tokens=1, output_tokens=0))])
    request = Request(model="m", embed=ToEmbed(inputs=("a",)), trace=TRACE)
    assert await scene.twice(request) == "hit"


def raw(*texts: str) -> list[Event]:
    return [
        *(Raw(wire="w", data=text.encode(), events=(Delta(text=text),)) for text in texts),
        Raw(wire="w", data=b"end", events=(Stopped(),)),
    ]


async def test_the_providers_bytes_are_replayed_where_the_caller_reads_in_the_same_way() -> None:
    scene = Scene(lambda _: raw("a", "b"))
    await scene.ask(stream=True)
    seen, _ = await events_until_error(scene.target.call(msgspec.structs.replace(ASK, stream=True)))
    assert seen[1:] == raw("a", "b")
    whole, _ = await events_until_error(scene.target.call(msgspec.structs.replace(ASK, stream=False)))
    assert whole[1:] == [Delta(text="a"), Delta(text="b"), Stopped()]


@pytest.mark.parametrize(
    ("pace", "stream", "slept"), [("original", True, [1.0, 2.0]), ("original", False, []), ("at_once", True, [])]
)
async def test_the_pace_of_a_replay(pace: Any, stream: bool, slept: list[float]) -> None:
    scene = Scene(policy=CachePolicy(pace=pace))

    def script(_: Request) -> Iterable[Event]:
        yield Started()
        for seconds in (1, 2):
            scene.clock.tick(seconds)
            yield Delta(text="x")
        yield Stopped()

    class Live(Scripted):
        async def call(self, request: Request) -> Any:
            yield Sent(request=request, provider="p")
            for event in script(request):
                yield event

    scene.target._inner = Live(script)
    await scene.ask(stream=stream)
    _, sent = await scene.ask(stream=stream)
    assert scene.slept == slept
    assert (sent.ttft_s, sent.duration_s) == (1.0, 3.0)


SIMILAR = Similar(embedder="p/e", threshold=0.9, calibration=calibration_id("p/e", 0.9))


async def test_a_question_in_other_words() -> None:
    asked: list[str] = []

    async def embed(_model: str, text: str, _trace: Any) -> tuple[float, ...]:
        asked.append(text)
        return (1.0, float(len(text)))

    scene = Scene(policy=CachePolicy(similar=SIMILAR), embed=embed)
    await scene.ask()
    other = msgspec.structs.replace(ASK, messages=(Message(role="user", content="Hello?"),))
    _, sent = await scene.ask(other)
    assert (sent.request.attributes[CACHE], sent.request.attributes[SIMILARITY]) == ("hit", 0.97)
    elsewhere = msgspec.structs.replace(other, messages=(Message(role="system", content="Be brief."), *other.messages))
    assert (await scene.ask(elsewhere))[1].request.attributes[CACHE] == "miss"
    assert (await scene.ask())[1].request.attributes[CACHE] == "hit"
    assert asked == ["Hi?", "Hello?", "Hello?"]  # the same words need no vector


@pytest.mark.parametrize("vector", [(), (0.0, 0.0), (float("nan"), 1.0), None])
async def test_an_embedder_that_fails_fails_no_call(vector: Any) -> None:
    async def embed(*_: Any) -> Any:
        if vector is None:
            raise CallFailed("Down.")
        return vector

    assert await Scene(policy=CachePolicy(similar=SIMILAR), embed=embed).twice() == "hit"
