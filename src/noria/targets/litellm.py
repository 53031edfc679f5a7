"""Models that LiteLLM knows how to call and Noria does not: the long tail, by a library in Noria's own process.

It speaks Chat Completions on its near side, so that dialect is used as for any server: what it can't carry is refused the
same way, and what comes is read the same way. What the library does behind it is its own: it opens its own connections,
which no rule of Noria's egress reaches, and it may translate less well than a wire. Its own retries are off, and so is
``drop_params``: what a provider can't do is refused.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import msgspec

from noria.core.errors import CallFailed, CallTimeout, InvalidInput
from noria.core.events import Event, Sent
from noria.core.requests import Request, request_id
from noria.core.unfolding import events_of
from noria.targets.base_url import shown_url
from noria.targets.egress import Timeouts
from noria.targets.redacting import Secrets
from noria.targets.whereabouts import Whereabouts
from noria.wires.carrying import Carrying
from noria.wires.sse import encode_event
from noria.wires.statuses import failed
from noria.wires.wire import Encoded, WireOut

_HARMLESS = frozenset(
    {
        "audio",
        "logit_bias",
        "modalities",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "user",
        "verbosity",
        "web_search_options",
    }
)
"""Fields without a noun that a caller may set. The library takes all others as its own arguments, and ``base_url`` among
them would send the key wherever the caller wants it; ``fallbacks``, ``extra_headers`` and ``model_list`` are no better."""
Complete = Callable[..., Awaitable[Any]]
"""``litellm.acompletion``, or what obeys its contract."""


def load() -> Complete:
    """The library's function. Importing it takes seconds and 150 MB, so it is done for the first call.

    Raises:
        InvalidInput: it is not installed.
    """
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it fetches prices from GitHub while imported
    try:
        library: Any = importlib.import_module("litellm")
    except ImportError:
        raise InvalidInput(
            "Providers of kind `litellm` need LiteLLM, which is not installed.", hint="Install noria[litellm]."
        ) from None
    library.suppress_debug_info = True  # else it prints advertisements for itself when a call fails
    complete: Complete = library.acompletion
    return complete


class LiteLLM:
    """A target that calls one of LiteLLM's models.

    Arguments:
        wire: Chat Completions, as the library speaks it.
        base_url: ``api_base`` of the call.
        api_key: ``api_key`` of the call; shown in no error.
        provider: the name that records and ``provider/model`` carry.
        model: LiteLLM's name of the model, such as ``watsonx/ibm/granite-3``.
        stream: ask for a stream where the request leaves it open.
        timeouts: how long to wait for the first piece of the reply, for the next, and for all.
        secrets: what no error may show, beside the key.
        load: brings the library.
    """

    def __init__(
        self,
        wire: WireOut,
        *,
        base_url: str,
        api_key: str,
        provider: str,
        model: str,
        stream: bool = True,
        timeouts: Timeouts = Timeouts(),  # noqa: B008  # immutable
        secrets: Secrets | None = None,
        load: Callable[[], Complete] = load,
    ) -> None:
        self._wire = wire
        self._base_url = base_url
        self._whereabouts = Whereabouts(base_url, provider)
        self._api_key = api_key
        self._provider = provider
        self._model = model
        self._stream = stream
        self._timeouts = timeouts
        self._secrets = secrets or Secrets([api_key])
        self._load = load

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Call the model.

        Raises:
            CallFailed: and its kinds, from the iterator.
            InvalidInput: the library is not installed, or the request can't be carried.
        """
        if request.operation != "chat":
            raise InvalidInput("Through LiteLLM only conversations are carried, no embeddings and no rankings.")
        stream = self._stream if request.stream is None else request.stream
        encoded = self._encoded(request, stream)
        yield Sent(
            request=request,
            provider=self._provider,
            request_id=request_id(request, server=self._base_url),
            streamed=stream,
            dropped=encoded.dropped,
            emulated=encoded.emulated,
        )
        complete = await asyncio.to_thread(self._load)
        waits = self._timeouts
        response = await self._in_time(
            complete(
                **msgspec.json.decode(encoded.body),
                api_base=self._base_url,
                api_key=self._api_key or None,
                timeout=waits.total_s,
                num_retries=0,
                max_retries=0,
                drop_params=False,
            ),
            waits.connect_s + waits.first_byte_s,
        )
        if not stream:
            for event in events_of(self._wire.decode_reply(_written(response), request)):
                yield event
            return
        decoder, pieces = self._wire.decoder(request), aiter(response)
        try:
            async with asyncio.timeout(waits.total_s):
                while (chunk := await self._in_time(anext(pieces, None), waits.idle_s)) is not None:
                    for event in decoder.feed(encode_event(_written(chunk))):
                        yield event
            decoder.close()
        except TimeoutError:
            raise CallTimeout(f"{self._model} sent nothing more in time, through LiteLLM.") from None
        finally:
            close = getattr(response, "aclose", None)
            if close is not None:
                await close()

    def _encoded(self, request: Request, stream: bool) -> Encoded:
        """The request, without fields of the caller's that would be the library's arguments. Raises ``InvalidInput``."""
        carrying = Carrying(request, "LiteLLM")
        for name, value in request.unread.items():
            if name not in _HARMLESS and value and value != "auto":
                carrying.cannot(name)
        harmless = {name: value for name, value in request.unread.items() if name in _HARMLESS}
        if len(harmless) == len(request.unread):
            return self._wire.encode(request, stream=stream, model=self._model)
        request = msgspec.structs.replace(request, unread=harmless)
        encoded = self._wire.encode(request, stream=stream, model=self._model)
        return msgspec.structs.replace(encoded, dropped=(*carrying.dropped, *encoded.dropped))

    async def _in_time(self, coming: Awaitable[Any], within_s: float) -> Any:
        try:
            async with asyncio.timeout(within_s):
                return await coming
        except TimeoutError:
            raise CallTimeout(f"{self._model} did not answer in time, through LiteLLM.") from None
        except Exception as error:  # noqa: BLE001  # the edge to a library that promises no type of error
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> CallFailed:
        """The library's error: its status is the provider's."""
        status = getattr(error, "status_code", None)
        said = self._secrets.redacted(str(getattr(error, "message", "") or error) or type(error).__name__)
        failure = failed(status if isinstance(status, int) and 400 <= status <= 599 else 500, said)
        failure.inside = f"Called at {shown_url(self._base_url, self._provider)}."
        self._whereabouts.hide(failure)
        return failure


def _written(item: Any) -> bytes:
    """One of the library's objects as its JSON."""
    body: bytes = msgspec.json.encode(item.model_dump(mode="json"))
    return body
