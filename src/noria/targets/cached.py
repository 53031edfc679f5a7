"""Earlier replies instead of calls: a record of the same question answers it again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

import msgspec

from noria.core.events import Event, Sent
from noria.core.protocols import Target
from noria.core.replies import Choice, Reply, Usage
from noria.core.requests import Request, request_id
from noria.core.spans import Span
from noria.core.unfolding import events_of
from noria.targets.closing import called

ENGINE = "noria.engine."
"""Attributes that begin so tell what the earlier call took; a replay keeps them."""


class Cached:
    """A target that first looks for a span with the same request id.

    It must see the request as the model would, so it stands inside prompts and variants. A hit is replayed with the
    earlier call's timings, so that cached and uncached runs report the same speed. Spans keep no log-probabilities;
    a request that wants them is always called.

    Arguments:
        inner: what is called where nothing is found.
        lookup: the span that answered a request id.
        server: base URL of the remote model inside, as :func:`noria.core.requests.request_id` wants it.
    """

    def __init__(self, inner: Target, lookup: Callable[[str], Awaitable[Span | None]], *, server: str = "") -> None:
        self._inner = inner
        self._lookup = lookup
        self._server = server

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Replay, or call on."""
        id = request_id(request, server=self._server)
        wants_logprobs = request.unread.get("logprobs") or request.params.extra.get("logprobs")
        span = None if wants_logprobs or request.params.logprobs is not None else await self._lookup(id)
        if span is not None and (reply := reply_of(span)).complete:
            kept = {key: value for key, value in span.attributes.items() if key.startswith(ENGINE)}
            yield Sent(
                request=msgspec.structs.replace(request, attributes=request.attributes | kept),
                provider=span.provider or "",
                request_id=id,
                streamed=span.ttft_s is not None,
                replays=f"{span.trace_id}/{span.span_id}",
                ttft_s=span.ttft_s,
                tpot_s=span.tpot_s,
                duration_s=span.duration_s,
            )
            for said in events_of(reply):
                yield said
            return
        async with called(self._inner, request) as events:
            async for event in events:
                yield event


def reply_of(span: Span) -> Reply:
    """The reply that a span recorded; without choices where the span is no complete answer."""
    if span.status != "ok" or len(span.finish_reasons) != len(span.output):
        return Reply()
    usage = None
    if span.input_tokens is not None and span.output_tokens is not None:
        usage = Usage(
            input_tokens=span.input_tokens,
            output_tokens=span.output_tokens,
            cached_tokens=span.cached_tokens,
            reasoning_tokens=span.reasoning_tokens,
        )
    choices = tuple(
        Choice(message=message, finish_reason=reason)
        for message, reason in zip(span.output, span.finish_reasons, strict=True)
    )
    return Reply(model=span.response_model or "", choices=choices, usage=usage)
