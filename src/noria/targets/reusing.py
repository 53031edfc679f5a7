"""Replies to live calls, kept to answer the same call again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

import msgspec

from noria.core.caching import AGE, CACHE, SIMILARITY, WHY_NOT, CachePolicy, Embed, KeptReply, Piece, Replies
from noria.core.errors import CallFailed
from noria.core.events import Content, Delta, Event, Raw, Sent, plain
from noria.core.folding import Fold
from noria.core.messages import FilePart, ImagePart
from noria.core.protocols import Clock, Target
from noria.core.replies import Reply
from noria.core.requests import Request, request_id
from noria.targets.alike import Alike, Asked, digest
from noria.targets.closing import called

MOST_BYTES = 1024 * 1024
"""Largest reply that is kept, about."""
_STATEFUL = ("previous_response_id", "conversation", "background", "store")
"""Fields of callers' wires that tie a reply to what the provider keeps, so that it means nothing to anybody else."""
_UNLUCKY = frozenset({"content_filter", "refusal"})
"""Ends of replies that the next try may not have; kept, they would be everybody's answer."""


class Reusing:
    """A target that answers from kept replies, and keeps what it had to ask for.

    It must see the request as the model would, so it stands inside prompts, variants and guards, and outside of retries
    and whatever chooses among providers. Only complete replies are kept, as the events they came as. What was failed,
    cut, refused or filtered is not, and these are left aside altogether: sampled replies, unless the policy says
    otherwise (an explicit temperature of more than 0); calls with tools that the provider runs; calls that point to
    what may change behind their back, be it a URL or a conversation that the provider keeps.

    Calls that are under way at the same time do not wait for each other: each is made.

    Arguments:
        inner: what is called where nothing is found.
        replies: where they are kept.
        policy: what may be kept, and for whom.
        server: base URL of the remote model inside, as :func:`noria.core.requests.request_id` wants it.
        now: the clock.
        sleep: waits so many seconds.
        embed: turns a question into a vector, where the policy lets questions in other words count.
    """

    def __init__(
        self,
        inner: Target,
        replies: Replies,
        policy: CachePolicy,
        *,
        server: str = "",
        now: Clock,
        sleep: Callable[[float], Awaitable[None]],
        embed: Embed | None = None,
    ) -> None:
        self._inner = inner
        self._alike = policy.similar and embed and Alike(policy.similar, embed, replies)
        self._replies = replies
        self._policy = policy
        self._server = server
        self._now = now
        self._sleep = sleep

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Replay, or call on. Raises ``CallFailed``, 504, where the caller wants a kept reply or none and there is none."""
        scope = _scope(request, self._policy)
        why_not = "the caller said so" if request.cache == "skip" else _unfit(request, self._policy, scope)
        asked: Asked | None = None
        if not why_not:
            id = request_id(request, server=self._server)
            around = (request.wire, ",".join(request.may_drop), *scope)
            key, similarity = digest(id, *around), None
            found = None if request.cache == "refresh" else await self._replies.find(key)
            if found is None and self._alike:
                asked = await self._alike.asked(request, self._server, around)
                if asked is not None and request.cache != "refresh":
                    found, similarity = await self._alike.found(asked)
            if found is not None:
                async for event in self._replayed(found, request, id, similarity):
                    yield event
                return
        if request.cache == "only":
            raise CallFailed(
                f"No kept reply answers this call{': ' + why_not if why_not else ''}.",
                status=504,
                kept="No model was asked.",
                hint="Leave `noria-cache: only` out, and one will be.",
            )
        said = {CACHE: "skip", WHY_NOT: why_not} if why_not else {CACHE: "miss"}
        request = msgspec.structs.replace(request, attributes=request.attributes | said)
        taken = None if why_not else _Taken(request, self._now)
        async with called(self._inner, request) as events:
            async for event in events:
                if taken is not None:
                    taken.take(event)
                yield event
        kept = taken and taken.kept(key, self._policy.ttl_s)
        if kept:
            self._replies.keep(asked.known_by(kept) if asked else kept)

    async def _replayed(
        self, kept: KeptReply, request: Request, id: str, similarity: float | None
    ) -> AsyncGenerator[Event]:
        age_s = (self._now() - kept.kept_ns) / 1e9
        said = {CACHE: "hit", AGE: round(age_s, 3)} | ({} if similarity is None else {SIMILARITY: round(similarity, 4)})
        yield Sent(
            request=msgspec.structs.replace(request, attributes=request.attributes | said),
            provider=kept.provider,
            request_id=id,
            streamed=kept.ttft_s is not None,
            replays=f"{kept.trace_id}/{kept.span_id}",
            ttft_s=kept.ttft_s,
            tpot_s=kept.tpot_s,
            duration_s=kept.duration_s,
        )
        paced = self._policy.pace == "original" and bool(request.stream) and kept.stream
        untouched = bool(request.stream) == kept.stream  # a stream's bytes are no whole reply, nor the other way round
        gone_s = 0.0
        for piece in kept.pieces:
            if paced and piece.after_s > gone_s:
                await self._sleep(piece.after_s - gone_s)
                gone_s = piece.after_s
            if untouched:
                yield piece.event
            else:
                for event in plain(piece.event):
                    yield event


class _Taken:
    """A reply on its way past, as long as it is small enough to be kept."""

    def __init__(self, request: Request, now: Clock) -> None:
        self._request = request
        self._now = now
        self._start_ns = now()
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self._sent: Sent | None = None
        self._pieces: list[Piece] = []
        self._fold = Fold()
        self._bytes = 0

    def take(self, event: Event) -> None:
        if isinstance(event, Sent):  # a new attempt
            self._sent, self._start_ns = event, self._now()
            return
        if not isinstance(event, Content | Raw) or self._bytes > MOST_BYTES:
            return
        at_ns = self._now()
        if any(isinstance(inner, Delta) for inner in plain(event)):
            self._last_ns = at_ns
            self._first_ns = at_ns if self._first_ns is None else self._first_ns
        self._pieces.append(Piece(after_s=(at_ns - self._start_ns) / 1e9, event=event))
        self._fold.take(event)
        self._bytes += _size(event)

    def kept(self, key: str, ttl_s: float) -> KeptReply | None:
        """The reply, where it is worth keeping."""
        reply, place, sent = self._fold.reply(), self._request.trace, self._sent
        if place is None or sent is None or self._bytes > MOST_BYTES or not reply.complete or sent.replays:
            return None
        if sent.continues is not None:  # it is no model's own answer
            return None
        if any(choice.finish_reason in _UNLUCKY for choice in reply.choices):
            return None
        ttft_s, tpot_s = self._timings(reply)
        now = self._now()
        return KeptReply(
            key=key,
            trace_id=place.trace_id,
            span_id=place.parent_id or "",
            user_id=self._request.lineage.user_id,
            kept_ns=now,
            ends_ns=now + int(ttl_s * 1e9),
            provider=sent.provider,
            stream=bool(self._request.stream),
            ttft_s=ttft_s,
            tpot_s=tpot_s,
            duration_s=(now - self._start_ns) / 1e9,
            pieces=tuple(self._pieces),
        )

    def _timings(self, reply: Reply) -> tuple[float | None, float | None]:
        """As the recorder has them."""
        if self._sent is None or not self._sent.streamed or self._first_ns is None or self._last_ns is None:
            return None, None
        tokens = reply.usage.output_tokens if reply.usage else 0
        told = tokens > 1 and self._last_ns > self._first_ns
        tpot_s = (self._last_ns - self._first_ns) / 1e9 / (tokens - 1) if told else None
        return (self._first_ns - self._start_ns) / 1e9, tpot_s


def _scope(request: Request, policy: CachePolicy) -> tuple[str, ...]:
    """Within what the reply may be given again; empty where the call does not say who makes it."""
    app = request.lineage.app or ""
    who: str | None
    match policy.scope:
        case "app":
            return ("app", app)
        case "user":
            who = request.lineage.user_id
        case "key":
            who = request.caller.key_id
        case "team":
            who = request.caller.team
    return (policy.scope, app, who) if who else ()


def _unfit(request: Request, policy: CachePolicy, scope: tuple[str, ...]) -> str:
    """Why a call is left aside; empty where it is not."""
    if not scope:
        return f"the call names no {policy.scope}"
    if (request.params.temperature or 0.0) > 0 and not policy.sampled:
        return "its temperature asks for a new answer each time"
    if any(tool.hosted for tool in request.tools):
        return "the provider runs tools for it"
    if any(request.unread.get(name) for name in _STATEFUL):
        return "the provider keeps its conversation"
    for message in request.messages:
        if isinstance(message.content, str):
            continue
        for part in message.content:
            if isinstance(part, ImagePart | FilePart) and not part.url.startswith("data:"):
                return "what is behind its URLs may change"
    return ""


def _size(event: Content | Raw) -> int:
    """About how many bytes it takes to keep an event."""
    if isinstance(event, Raw):
        return 2 * len(event.data)
    return 40 + (
        len(event.text) + len(event.reasoning) if isinstance(event, Delta) else len(msgspec.msgpack.encode(event))
    )
