"""What every call goes through, chosen and put together once: live calls, those of experiments, those of judges.

All of them end on record. Who may call, and over which wire, is not known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from noria.assemble.clock import now
from noria.assemble.gateway.answers import Answers
from noria.assemble.gateway.caching import Caches, live_price, with_savings
from noria.assemble.gateway.cut_calls import CutCalls
from noria.assemble.gateway.guarding import Guards
from noria.assemble.gateway.known_secrets import known
from noria.assemble.gateway.limits import Limits
from noria.assemble.gateway.measuring import CallMetrics
from noria.assemble.gateway.replies import RememberedReplies
from noria.assemble.local.engines import EnginePool, Engines
from noria.assemble.opened import Opened
from noria.assemble.providers.configured import Stored
from noria.assemble.providers.prices import prices_of
from noria.core.accounts import account_of
from noria.core.attributes import PURPOSE
from noria.core.errors import CallFailed
from noria.core.experiments import ExperimentVariant
from noria.core.protocols import Target
from noria.core.replies import Reply
from noria.core.requests import Request, ToEmbed
from noria.core.spans import Span
from noria.evaluate.running.runner import Ask
from noria.settings import Settings
from noria.stores.openings import Openings
from noria.stores.places import SharedPlaces
from noria.stores.traces.together import Together
from noria.targets.admitted import Admitted
from noria.targets.egress import Egress
from noria.targets.guarded import GUARDS_OWN
from noria.targets.lateness import Lateness
from noria.targets.limited import Limited
from noria.targets.mirror import Mirror
from noria.targets.recorded import Recorded
from noria.targets.recording import RandomIds, Recording, recorded_call
from noria.targets.redacting import Secrets
from noria.targets.routed import Routed
from noria.targets.slots import Slots
from noria.wires import anthropic, google, openai_responses

_WIRES = {wire.NAME: wire.SHOWS for wire in (anthropic, google, openai_responses)}
"""What callers of a wire can be shown, where that isn't everything."""


class Calling:
    """Makes calls and records them.

    Arguments:
        settings: providers, routes, prices, caches, guards, places.
        environ: where providers' keys are.
        opened: the stores.
        egress: sends the calls.
        stored: providers' keys that are stored encrypted.
        watch: is shown each live call when it is on record.
        key_name: what a virtual key of an id is called.
        engines: where local models' engines are had; None for this process's own.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        opened: Opened,
        *,
        egress: Egress,
        stored: Stored,
        watch: Callable[[Span], None],
        key_name: Callable[[str], str],
        engines: Engines | None = None,
    ) -> None:
        self._traces = opened.traces
        self._watch = watch
        self._remembered = RememberedReplies(opened.traces)
        self._cut_calls = CutCalls(self._keep)
        self.new_ids = RandomIds()
        """Makes ids of traces and spans."""
        self._environ = environ
        self.secrets = Secrets([opened.key.reveal(), *known(settings, environ)])
        """What no provider's error may show."""
        self.prices = prices_of(settings)
        """What calls cost."""
        self.engines = engines or EnginePool(opened.blobs, opened.logs)
        """The local models' engines."""
        self.caches = Caches(settings, opened.replies, self.embed, alone=opened.replies_alone)
        """Kept replies of live calls."""
        self.mirror = Mirror(self._keep, now=now, new_ids=self.new_ids, price=self.prices.of_span)
        """Makes the calls of shadows."""
        self.answers = Answers(
            settings,
            environ,
            catalogue=opened.catalogue,
            engines=self.engines,
            egress=egress,
            caches=self.caches,
            prices=self.prices,
            mirror=self._mirrored,
            guards=Guards(settings.guards, settings.aliases, self.ask_for_guard),
            stored=stored,
            secrets=self.secrets,
        )
        """Finds who answers a name."""
        self.metrics = CallMetrics()
        """What live calls were like."""
        self.together = Together(self._made, self._begin, self._on_record)
        """Makes the records of live calls durable."""
        self.slots = Slots(settings.max_calls, waiting=settings.max_waiting, of="This server")
        """Places for the gateway's calls."""
        self.lateness = Lateness(self.slots, settings.max_late_ms / 1000, time.monotonic)
        """How late they are taken up."""
        self.limits = Limits(opened.catalogue, now, key_name)
        """Limits and budgets of calls."""
        self.limited = self._within_limits(Routed(self.answers.resolve))
        """Answers calls within their limits."""
        self.recorded = Recorded(
            self.limited,
            self.together.add,
            now=now,
            new_ids=self.new_ids,
            price=live_price(self.prices.of_span),
            wires=_WIRES,
        )
        """Answers calls and records them."""
        self.target: Target = Admitted(self.recorded, opened.traces.check_room)
        """Answers every name, and records every call."""

    def reuses(self, name: str) -> bool:
        """Whether calls of ``name`` may be answered from kept replies."""
        return self.caches.policy(name) is not None

    async def ask(self, request: Request) -> tuple[Span, Reply]:
        """For judges of evaluations and the doctor: a call that is made and recorded like any other, and counts in no limit."""
        return await self._call(self.answers.resolve(request.model), request)

    async def ask_within_limits(self, request: Request) -> tuple[Span, Reply]:
        """For judges of live calls: the same, within the limits of whoever's call is judged."""
        return await self._call(self.limited, request)

    async def ask_for_guard(self, cause: Request, request: Request) -> Reply:
        """Call a model for a guard, in the trace and on the account of the call that it checks.

        Raises:
            CallFailed: there is no answer.
        """
        request = msgspec.structs.replace(
            request,
            trace=cause.trace,
            caller=account_of(cause),
            caused_by=(cause.trace and cause.trace.parent_id) or "",
            attributes=request.attributes | {PURPOSE: GUARDS_OWN},
        )
        span, reply = await self.ask_within_limits(request)
        if span.status != "ok":
            raise CallFailed(f"{request.model} did not answer a guard: {span.error_message}")
        return reply

    async def embed(self, model: str, text: str, cause: Request | None = None) -> Sequence[float]:
        """The vector of a text: a call of ``provider/model`` that is recorded.

        Arguments:
            model: what gives it.
            text: the text.
            cause: the call that asks it, in whose trace and on whose account this one is; None for a calibration, which counts in no
                limit.

        Raises:
            CallFailed: and what else the call raises; also where the model gives no vector.
        """
        request = Request(model=model, embed=ToEmbed(inputs=(text,)), attributes={PURPOSE: "cache"})
        if cause is None:
            span, reply = await self.ask(request)
        else:
            request = msgspec.structs.replace(request, trace=cause.trace, caller=account_of(cause))
            span, reply = await self.ask_within_limits(request)
        if not reply.vectors:
            raise CallFailed(f"{model} gives no vectors: {span.error_message or 'its reply held none'}")
        return reply.vectors[0]

    def of_variant(self, entry: ExperimentVariant, cache: bool) -> Ask:
        """How an experiment calls a variant, with replies from the record where it may use them."""
        target = self.answers.variant(entry.variant, self._remembered if cache else None, patient=True)

        async def ask(request: Request) -> Span:
            span, _ = await recorded_call(
                target, request, now=now, new_ids=self.new_ids, price=self.prices.of_span, cut=self._cut_calls
            )
            return span

        return ask

    def prepare(self, settings: Settings) -> None:
        """Open what these settings need, in a thread, before they are taken. Raises ``Unavailable``."""
        self.caches.prepare(settings)

    def configure(self, settings: Settings) -> None:
        """Take providers, routes, prices, guards, caches and places from these settings.

        Raises:
            InvalidInput: they are wrong; then all stays as it was.
        """
        self.secrets.add(*known(settings, self._environ))
        self.answers.configure(settings)
        self.prices.become(prices_of(settings))
        self.slots.resize(settings.max_calls, waiting=settings.max_waiting)
        self.lateness.allow(settings.max_late_ms / 1000)

    def share(self, places: SharedPlaces, openings: Openings) -> None:
        """Count places for calls together with the other processes of this server, and heed their breakers; nobody has called yet."""
        self.slots.share(places.of("server"))
        self.answers.standing.share(places, openings)

    def numbers(self) -> Mapping[str, float]:
        """What ``/metrics`` shows."""
        return {
            "noria_limits_refused_total": self.limited.refused,
            "noria_limits_asked_total": self.limits.allowances.asks,
            **self.caches.numbers(),
            **self.answers.standing.numbers(),
            "noria_calls_running": self.slots.taken,
            "noria_calls_waiting": self.slots.waiting,
            "noria_calls_shed_total": self.slots.shed,
            "noria_calls_shed_late_total": self.lateness.shed,
            "noria_shadows_total": self.mirror.made,
            "noria_shadows_skipped_total": self.mirror.skipped,
            "noria_shadows_failed_total": self.mirror.failed,
            "noria_shadows_cost_usd_total": self.mirror.cost_usd,
        }

    async def drain(self) -> None:
        """Let the calls under way end, and their records become durable."""
        async with contextlib.AsyncExitStack() as stack:  # from the last to the first
            stack.push_async_callback(self._cut_calls.drain)
            stack.push_async_callback(self.mirror.close)
            stack.push_async_callback(self.together.drain)

    def _within_limits(self, target: Target) -> Limited:
        return Limited(target, self.limits.matching, self.limits.allowances, self.prices, now)

    def _mirrored(self, target: Target, request: Request) -> None:
        """Make a call in the background; the limits of everybody count it."""
        self.mirror.offer(self._within_limits(target), request)

    async def _call(self, target: Target, request: Request) -> tuple[Span, Reply]:
        request = msgspec.structs.replace(request, cache="skip")
        span, reply = await recorded_call(
            target, request, now=now, new_ids=self.new_ids, price=self.prices.of_span, cut=self._cut_own
        )
        await self._keep(span)
        self.metrics.observe_own(span)
        return span, reply

    def _cut_own(self, span: Span) -> None:
        """Keep what a call used that was not waited for any longer, such as one of a guard whose deadline has come."""
        self._cut_calls(span)
        self.metrics.observe_own(span)

    def _made(self, recording: Recording) -> Span:
        span = recording.span()
        return with_savings(span, self.prices.of_span) if span.cached else span

    def _on_record(self, span: Span) -> None:
        self.metrics.observe(span)
        self._watch(span)

    def _begin(self, spans: Sequence[Span]) -> asyncio.Future[Any]:
        """Append; some stores can do so without a task of its own."""
        begin: Callable[[Sequence[Span]], asyncio.Future[Any]] | None = getattr(self._traces, "begin", None)
        return asyncio.create_task(self._traces.append(spans)) if begin is None else begin(spans)

    async def _keep(self, span: Span) -> None:
        await self._traces.append([span])
