"""Is each provider well? Looks at all that can be seen without spending money, and calls a model where that is asked for."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec

from noria.assemble.providers.configured import (
    LISTS,
    Configured,
    Stored,
    callable_providers,
    check_known,
    configured,
    look,
)
from noria.core.decoding import UNREADABLE
from noria.core.errors import CallFailed, InvalidInput, NoriaError
from noria.core.messages import Message
from noria.core.replies import Reply
from noria.core.requests import Parameters, Request
from noria.core.spans import Span
from noria.core.struct import Noun
from noria.settings import Settings
from noria.targets.base_url import shown_url
from noria.targets.egress import Egress, Timeouts

MOST_OFF_S = 30.0
"""How far this machine's clock may be from a provider's: signed requests and tokens fail soon after."""
LOOK_S = 10.0
"""How long one look may take."""
SLOW_S = 2.0
"""A list of models that takes longer is worth a remark."""
TOKENS = 16
"""Most tokens of a test call; some providers refuse less."""

Ask = Callable[[Request], Awaitable[tuple[Span, Reply]]]
"""Makes a call that is recorded."""


class Check(Noun):
    """One thing that was looked at."""

    name: str
    """``configuration``, ``name``, ``connection``, ``key``, ``models``, ``clock``, ``call`` or ``stream``."""
    ok: bool | None = None
    """Whether it is well; None where that could not be seen."""
    said: str = ""
    """What was seen."""
    hint: str = ""
    """What to do."""
    seconds: float | None = None
    """How long it took."""


class Examination(Noun):
    """What was found out about a provider."""

    provider: str
    """Its name."""
    base_url: str = ""
    """Where it is."""
    ok: bool = False
    """Whether nothing was found wrong."""
    checks: tuple[Check, ...] = ()
    """What was looked at."""
    models: int | None = None
    """How many models it lists; None where it lists none."""


class Doctor:
    """Examines providers.

    Arguments:
        settings: those in force.
        environ: where keys are.
        egress: the way out, as calls take it.
        ask: makes test calls.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        environ: Mapping[str, str],
        egress: Egress,
        ask: Ask,
        *,
        stored: Stored = lambda _, __: None,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._egress = egress
        self._ask = ask
        self._stored = stored

    async def examine(self, providers: Sequence[str] = (), calls: Sequence[str] = ()) -> list[Examination]:
        """Look at the providers that are named; where none is, at all that are configured or whose key is there.

        Arguments:
            providers: their names.
            calls: models, as ``provider/model``, to call twice each, whole and streamed: that costs money. Their providers are named
                with them.

        Raises:
            InvalidInput: a model's name is none.
            UnknownName: there is no such provider.
        """
        for model in calls:
            if "/" not in model:
                raise InvalidInput(f"{model!r} names no model.", hint="Write it as provider/model.")
        settings = self._settings()
        named = list(dict.fromkeys([*providers, *(model.partition("/")[0] for model in calls)]))
        for name in named:
            check_known(name, settings, self._environ)
        names = named or callable_providers(settings, self._environ)
        return list(await asyncio.gather(*(self._examine(name, calls) for name in names)))

    async def _examine(self, name: str, calls: Sequence[str]) -> Examination:
        seen = _Seen()
        settings, base_url = self._settings(), ""
        provider = settings.provider(name)
        if provider is not None:
            try:
                base_url = shown_url(provider.base_url, name)
                there = configured(name, settings, self._environ, self._stored)
            except NoriaError as error:
                return seen.add("configuration", ok=False, said=_told(error), hint=error.hint).about(name, base_url)
            seen.add("configuration", ok=True, said=f"{there.provider.kind}; {self._where_key(there)}")
            if there.library is None and await self._resolves(there, seen):
                await self._look(name, there, seen)
        for model in calls:
            if model.partition("/")[0] == name:
                await self._call(model, seen, stream=False)
                await self._call(model, seen, stream=True)
        return seen.about(name, base_url)

    def _where_key(self, there: Configured) -> str:
        provider = there.provider
        if not there.key:
            return "it needs no key"
        if provider.api_key_file:
            return f"its key is in {provider.api_key_file}"
        return (
            f"its key is in {provider.api_key_env}" if self._environ.get(provider.api_key_env) else "its key is stored"
        )

    @staticmethod
    async def _resolves(there: Configured, seen: _Seen) -> bool:
        """Whether the host has an address. Which of them may be called is decided by whoever connects."""
        parts = urlsplit(there.provider.base_url)
        host, began = parts.hostname or "", time.perf_counter()
        try:
            async with asyncio.timeout(LOOK_S):
                found = await asyncio.get_running_loop().getaddrinfo(host, parts.port or 443, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = (
                "it took too long"
                if isinstance(error, TimeoutError)
                else getattr(error, "strerror", "") or "no such name"
            )
            seen.add(
                "name",
                ok=False,
                said=f"{host} has no address: {reason}.",
                hint="Check base_url, and this machine's DNS.",
            )
            return False
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        said = (
            "an address, which needs no looking up" if addresses == [host] else f"{host} is {', '.join(addresses[:3])}"
        )
        seen.add("name", ok=True, said=said, seconds=time.perf_counter() - began)
        return True

    async def _look(self, name: str, there: Configured, seen: _Seen) -> None:
        """Ask for the list of models: that goes the way of every call, and shows whether the key is taken."""
        provider = there.provider
        path = LISTS.get(provider.kind)
        waits = Timeouts(connect_s=min(LOOK_S, provider.connect_timeout_s), first_byte_s=LOOK_S, total_s=2 * LOOK_S)
        began = time.perf_counter()
        try:
            status, headers, body = await look(name, there, self._egress, waits)
        except CallFailed as error:
            hint = error.hint or "Check that the server runs, and base_url."
            seen.add("connection", ok=False, said=_told(error), hint=hint)
            return
        except InvalidInput as error:
            seen.add("configuration", ok=False, said=_told(error), hint=error.hint)
            return
        seconds = time.perf_counter() - began
        slow = ", which is slow: look at the way there" if seconds > SLOW_S else ""
        seen.add("connection", ok=True, said=f"it answers with {status}{slow}", seconds=seconds)
        _clock(headers, seen)
        _listed(there, path, status, body, seen)

    async def _call(self, model: str, seen: _Seen, *, stream: bool) -> None:
        name = "stream" if stream else "call"
        request = Request(
            model=model,
            messages=(Message(role="user", content="Say OK."),),
            params=Parameters(max_tokens=TOKENS),
            stream=stream,
            attributes={"noria.doctor": True},
        )
        try:
            span, reply = await self._ask(request)
        except NoriaError as error:
            seen.add(name, ok=False, said=f"{model}: {_told(error)}", hint=error.hint)
            return
        if span.status != "ok":
            seen.add(name, ok=False, said=f"{model}: {span.error_message}", hint="See the record of the call.")
            return
        tokens = reply.usage.output_tokens if reply.usage else None
        said = f"{model} answered" + (
            f" with {tokens} tokens" if tokens is not None else ", and nobody counted its tokens"
        )
        if stream and span.ttft_s is None:
            seen.add(
                name,
                ok=False,
                said=f"{said}, but in one piece.",
                hint="Set `stream = false` for it, or look for what holds streams back on the way (a proxy's buffering).",
            )
            return
        seen.add(name, ok=True, said=said, seconds=span.ttft_s if stream else span.duration_s)


class _Seen:
    """Checks of one provider, as they are made."""

    def __init__(self) -> None:
        self._checks: list[Check] = []
        self.models: int | None = None

    def add(self, name: str, *, ok: bool | None, said: str, hint: str = "", seconds: float | None = None) -> _Seen:
        seconds = None if seconds is None else round(seconds, 4)
        self._checks.append(Check(name=name, ok=ok, said=said, hint=hint, seconds=seconds))
        return self

    def about(self, provider: str, base_url: str) -> Examination:
        checks = tuple(self._checks)
        ok = all(check.ok is not False for check in checks)
        return Examination(provider=provider, base_url=base_url, ok=ok, checks=checks, models=self.models)


def _told(error: NoriaError) -> str:
    """What is wrong and where: the doctor speaks to whoever runs Noria. What to do stands beside it."""
    return f"{error.message} {error.inside}".rstrip()


def _clock(headers: Mapping[str, str], seen: _Seen) -> None:
    """Compare clocks by the response's ``Date`` (RFC 9110, section 6.6.1), which is exact to a second."""
    try:
        off_s = time.time() - parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError):
        return
    if abs(off_s) > MOST_OFF_S:
        said = f"this machine's clock is {abs(off_s):,.0f} s {'ahead of' if off_s > 0 else 'behind'} the provider's."
        seen.add("clock", ok=False, said=said, hint="Let it be set over the network (NTP).")
    else:
        seen.add("clock", ok=True, said="within a second or two of the provider's")


def _listed(there: Configured, path: str | None, status: int, body: bytes, seen: _Seen) -> None:
    """What the answer to the list of models says about the key and the base URL."""
    variable = there.provider.api_key_env
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} or _says_bad_key(status, body):
        hint = f"Put a key that is in force into {variable}." if variable else "It wants a key: set api_key_env."
        seen.add("key", ok=False, said=f"the key is not accepted ({status}).", hint=hint)
    elif path is None:
        seen.add(
            "key",
            ok=None,
            said="this kind lists no models, so only a call shows whether the key is taken.",
            hint="--call",
        )
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        seen.add("key", ok=None, said="too many requests now, so the key could not be tried.", hint="Try again later.")
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        seen.add("models", ok=False, said=f"it answers with {status}: it is not well.", hint="Look at its status page.")
    elif status >= HTTPStatus.MULTIPLE_CHOICES:
        seen.add(
            "models",
            ok=False,
            said=f"there is no list of models below base_url ({status}).",
            hint="Check base_url: it mostly ends in /v1.",
        )
    else:
        _count(there, body, seen)


def _count(there: Configured, body: bytes, seen: _Seen) -> None:
    try:
        found: Any = msgspec.json.decode(body)
    except UNREADABLE:
        found = None
    if not isinstance(found, dict):
        seen.add(
            "models",
            ok=False,
            said="what answers is no such API: its list of models is no JSON object.",
            hint="Check base_url, and kind.",
        )
        return
    listed = found.get("data", found.get("models"))
    if there.key:
        seen.add("key", ok=True, said="accepted")
    if isinstance(listed, list):
        seen.models = len(listed)
        seen.add(
            "models",
            ok=bool(listed),
            said=f"{len(listed)} model{'' if len(listed) == 1 else 's'}",
            hint="" if listed else "Load a model there.",
        )
    else:
        seen.add("models", ok=True, said=str(found.get("model_id", "it lists none"))[:200])


def _says_bad_key(status: int, body: bytes) -> bool:
    """Google says 400 where others say 401."""
    return status == HTTPStatus.BAD_REQUEST and b"API_KEY_INVALID" in body
