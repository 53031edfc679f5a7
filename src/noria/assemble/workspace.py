"""A workspace: the stores, opened, with everything that works on them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, BinaryIO

import msgspec

import noria
from noria.adapt.prompts import check
from noria.assemble.backup import Backups
from noria.assemble.clock import now
from noria.assemble.datasets import Datasets
from noria.assemble.environment import environment
from noria.assemble.gateway.calling import Calling
from noria.assemble.gateway.exporting import MetricsExport, destination
from noria.assemble.gateway.measuring import CallMetrics
from noria.assemble.gateway.reloading import Reloading
from noria.assemble.gateway.state import GatewayState, gateway_state
from noria.assemble.gateway.sum import added_up
from noria.assemble.identifiers import new_id
from noria.assemble.keys.keyring import Keyring
from noria.assemble.local.engines import Engines
from noria.assemble.local.models import LocalModels
from noria.assemble.monitoring import Monitoring
from noria.assemble.opened import Opened
from noria.assemble.providers.doctor import Doctor
from noria.assemble.providers.keys import ProviderKeys
from noria.assemble.providers.model_lists import ModelLists, named_models
from noria.assemble.providers.prices import unpriced
from noria.assemble.record.activity import Activity, Kind, activities
from noria.assemble.record.collecting import BlobCollector
from noria.assemble.record.erasure import Erasures
from noria.assemble.record.exchange import Exchange
from noria.assemble.record.given_scores import GivenScores
from noria.assemble.record.intake import OtlpIntake
from noria.assemble.record.retention import Retention
from noria.assemble.record.tailing import tail
from noria.assemble.record.traffic import Bucket, By, Traffic, traffic
from noria.assemble.starts import note_settings
from noria.assemble.variants import Variants
from noria.assemble.workers.told import ToldByWorkers
from noria.core.errors import InvalidInput
from noria.core.keys import Key
from noria.core.prices import Unpriced
from noria.core.prompts import Prompt
from noria.core.protocols import TraceStore
from noria.core.questions import Arrivals, Question
from noria.core.scores import Scorer, ScorerSpec
from noria.evaluate.laboratory import Laboratory
from noria.scorers.registry import kinds, make
from noria.settings import Settings
from noria.targets.egress import Egress


class Workspace:
    """What ``serve`` and ``cli`` work with. Made by :func:`noria.assemble.opening.open_workspace`."""

    version = noria.__version__
    """Noria's version."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        opened: Opened,
        *,
        egress: Egress,
        read_again: Callable[[], Settings] | None = None,
        engines: Engines | None = None,
    ) -> None:
        self.settings = settings
        """The configuration."""
        self.key = opened.key
        """The admin key."""
        self.catalogue = opened.catalogue
        """Prompts, apps, models, data sets, experiments, monitors."""
        self.traces: TraceStore = opened.traces
        """Spans and scores."""
        self._opened, self._blobs = opened, opened.blobs
        self._environ, self._egress, self._since_ns = environ, egress, now()
        self._export: MetricsExport | None = None
        self._make_calls(engines)
        self._keep_the_record()
        self._make_experiments()
        self.configuration = Reloading(settings, read_again, self.calling.prepare, self._configure, self._note_settings)
        """Reads the settings again."""
        self.ready = True
        """False once closing has begun."""

    def _make_calls(self, engines: Engines | None) -> None:
        """Whom calls come from, where they go, and what is to be known about both."""
        catalogue, traces = self.catalogue, self.traces
        self.keyring = Keyring(catalogue, now)
        """Virtual keys, ready to be compared with."""
        self.provider_keys = ProviderKeys(lambda: self.settings, self._environ, catalogue.audit, self._hide)
        """Keys of providers, encrypted at rest."""
        self.monitors = Monitoring(catalogue, self._make_live_scorer, lambda scores: traces.append(scores=scores))
        """Scorers on live traffic."""
        self.calling = Calling(
            self.settings,
            self._environ,
            self._opened,
            egress=self._egress,
            stored=self.provider_keys.get,
            watch=self.monitors.live.observe,
            key_name=self.keyring.name_of,
            engines=engines,
        )
        """Makes calls and records them."""
        self.models = LocalModels(catalogue, self._blobs, self.calling.engines)
        """Weights on this machine and their engines."""
        configured = (lambda: self.settings), self._environ, self._egress
        self.doctor = Doctor(*configured, self.calling.ask, stored=self.provider_keys.get)
        """Examines providers."""
        self._model_lists = ModelLists(*configured, self.provider_keys.get, now)

    def _keep_the_record(self) -> None:
        """What comes into the record otherwise than by a call, what goes out of it, and what is deleted."""
        catalogue, traces, blobs, caches = self.catalogue, self.traces, self._blobs, self.calling.caches
        large = self.settings.large_content_bytes
        self.exchange = Exchange(traces, blobs, large)
        """Exports and imports of the record."""
        self.given_scores = GivenScores(traces, now)
        """Takes scores from outside."""
        self.intake = OtlpIntake(
            traces, blobs, price=self.calling.prices.of_span, now=now, large=large, watch=self.monitors.offer
        )
        """Takes OpenTelemetry traffic."""
        self.backups = Backups(catalogue, traces, blobs, now=now, version=self.version, key=lambda: self.key)
        """Writes everything into one stream."""
        collector = BlobCollector(catalogue, traces, blobs)
        self.retention = Retention(catalogue, traces, collector, now, caches)
        """Deletes what is older than the rules say."""
        self.erasures = Erasures(catalogue, traces, blobs, collector, caches)
        """Deletes what is on record about a user."""

    def _make_experiments(self) -> None:
        """What they are made of, and what runs them."""
        catalogue = self.catalogue
        self.datasets = Datasets(catalogue, self._blobs)
        """Data sets and their cases."""
        self.variants = Variants(catalogue, self.calling.answers)
        """Variants from what people write."""
        self.laboratory = Laboratory(
            experiments=catalogue.experiments,
            store=self.traces,
            load_cases=self.datasets.cases,
            make_scorer=self.make_scorer,
            make_call=self.calling.of_variant,
            now=now,
            new_id=new_id,
            environment=functools.partial(environment, self.version),
            hold=lambda experiment_id: catalogue.leases.take(f"experiment {experiment_id}"),
        )
        """Runs experiments."""

    # -- calls ---------------------------------------------------------------------------------------------------

    def new_trace_id(self) -> str:
        """A fresh trace id, 32 hex digits."""
        return self.calling.new_ids()[0]

    def _hide(self, secret: str) -> None:
        """Let no error show it."""
        self.calling.secrets.add(secret)

    async def callable_models(self) -> Iterable[str]:
        """Names that can be called now: routes and aliases, released apps, local models, those of the settings and of providers."""
        apps = await asyncio.to_thread(self.catalogue.apps.list)
        models = await asyncio.to_thread(self.catalogue.models.list)
        named = [*self.settings.routes, *self.settings.aliases]
        called = [*named, *(app.name for app in apps if app.release and app.name not in named)]
        called += [f"{app.name}@{release.label}" for app in apps for release in app.labelled]
        called += [f"local/{model.name}" for model in models]
        return dict.fromkeys([*called, *named_models(self.settings), *await self._model_lists.names()])

    async def gateway(self) -> GatewayState:
        """How providers, routes, places, kept replies and guards stand in this process and its workers."""
        state = await gateway_state(
            self.settings,
            self.calling.answers.standing,
            self.calling.slots,
            self.measured(),
            self.calling.caches.numbers(),
            since_ns=self._since_ns,
            environ=self._environ,
            stored=self.provider_keys.get,
        )
        return added_up(state, self.told.stood())

    # -- keys ----------------------------------------------------------------------------------------------------

    async def keys(self) -> list[Key]:
        """All virtual keys, newest first."""
        await self.keyring.keep_uses()
        return await asyncio.to_thread(self.catalogue.keys.list)

    async def key_of(self, ref: str) -> Key:
        """A virtual key by name or id. Raises ``UnknownName``."""
        await self.keyring.keep_uses()
        return await asyncio.to_thread(self.catalogue.keys.get, ref)

    # -- the record ----------------------------------------------------------------------------------------------

    @staticmethod
    def now() -> int:
        """Nanoseconds since 1970 UTC."""
        return now()

    def tail(self, question: Question, after: str | None, *, closing: Callable[[], bool]) -> AsyncIterator[Arrivals]:
        """Spans as they arrive, see :func:`noria.assemble.record.tailing.tail`."""
        return tail(self.traces, question, after, closing=closing)

    async def activities(self, kind: Kind, question: Question, *, limit: int, offset: int = 0) -> list[Activity]:
        """Sessions, users or traces, see :func:`noria.assemble.record.activity.activities`."""
        return await activities(self.traces, kind, question, limit=limit, offset=offset)

    async def traffic(self, question: Question, *, by: By, bucket: Bucket, limit: int) -> list[Traffic]:
        """Model calls by time and model, see :func:`noria.assemble.record.traffic.traffic`."""
        return await traffic(self.traces, question, by=by, bucket=bucket, limit=limit)

    async def unpriced(self, since_ns: int | None, limit: int) -> list[Unpriced]:
        """Models whose calls have no price, see :func:`noria.assemble.providers.prices.unpriced`."""
        return await unpriced(self.traces, since_ns, limit)

    # -- prompts, scorers, large contents ------------------------------------------------------------------------

    @staticmethod
    def check_prompt(prompt: Prompt) -> None:
        """Refuse a prompt that can't work. Raises ``InvalidInput``."""
        if not prompt.blocks:
            raise InvalidInput("The prompt has no message.")
        check(prompt)

    def open_blob(self, sha256: str) -> BinaryIO:
        """Large content of a record. Raises ``UnknownName``, and ``InvalidInput`` for what is no SHA-256."""
        return self._blobs.open(sha256)

    def make_scorer(self, spec: ScorerSpec) -> Scorer:
        """A scorer. Raises ``UnknownName`` or ``InvalidInput``."""
        return make(spec, ask=self.calling.ask)

    def _make_live_scorer(self, spec: ScorerSpec) -> Scorer:
        """The same for live calls, whose limits count what it asks of models."""
        return make(spec, ask=self.calling.ask_within_limits)

    @staticmethod
    def scorer_kinds() -> dict[str, Any]:
        """Every kind of scorer, described."""
        return {name: msgspec.to_builtins(card) for name, card in kinds().items()}

    # -- the workspace itself ------------------------------------------------------------------------------------

    @functools.cached_property
    def environment(self) -> Mapping[str, str | int]:
        """This machine and process, as they were when first asked for. Git is asked, too: read it in a thread."""
        return environment(self.version)

    @property
    def place(self) -> str:
        """Where the records are, for people."""
        return self._opened.place

    @property
    def shared(self) -> bool:
        """Whether other processes work on the same records."""
        return self._opened.shared

    def announce(self, url: str) -> None:
        """Tell other processes where this one answers, and the audit log when it does so with other settings.

        From here on this is a server, which also keeps the record as short as the rules of retention say, and sends its
        measurements where OpenTelemetry's variables say. Raises ``InvalidInput`` where these are wrong.
        """
        self._export_metrics()
        self._opened.announce(url)
        self.retention.start()
        self.keyring.start()
        self._note_settings(self.settings)

    def _export_metrics(self) -> None:
        to = destination(self._environ)
        if to is not None:
            made = (to, self._egress, self.measured, self.numbers)
            self._export = MetricsExport(*made, version=self.version, now=self.now)
            self._export.start()

    def _configure(self, settings: Settings) -> None:
        self.calling.configure(settings)
        self.settings = settings
        self._model_lists.forget()

    def _note_settings(self, settings: Settings) -> None:
        given = self._opened.key_given
        note_settings(self.catalogue.audit, settings, key_from_environment=given, version=self.version)

    def note_login(self) -> None:
        """Tell the audit log that a login link was used."""
        self.catalogue.audit.add("key.used", "login link", by="admin")

    @functools.cached_property
    def told(self) -> ToldByWorkers:
        """What workers of this process have counted."""
        return ToldByWorkers()

    def numbers(self) -> Mapping[str, float]:
        """What ``/metrics`` shows."""
        return self.told.numbers(self._numbers())

    def measured(self) -> CallMetrics:
        """What live calls were like, those of workers too."""
        return self.told.calls(self.calling.metrics)

    def _numbers(self) -> Mapping[str, float]:
        return {
            **self._opened.numbers(),
            "noria_monitor_scores_total": self.monitors.live.scored,
            "noria_monitor_skipped_total": self.monitors.live.skipped,
            "noria_monitor_failed_total": self.monitors.live.failed,
            **self.intake.numbers(),
            **self.retention.numbers(),
            "noria_keys": self.keyring.size,
            **self.calling.numbers(),
            **(self._export.numbers() if self._export else {}),
        }

    async def close(self) -> None:
        """Stop what runs, and leave everything durable. One that fails to stop keeps no other from stopping."""
        self.ready = False
        async with contextlib.AsyncExitStack() as stack:  # closes from the last to the first: whoever calls, first
            stack.callback(self.calling.answers.checks.close)
            stack.push_async_callback(self.calling.caches.close)
            stack.push_async_callback(self.calling.engines.close)
            stack.push_async_callback(self._model_lists.close)
            stack.push_async_callback(self.monitors.live.close)
            if self._export is not None:  # when all calls have ended
                stack.push_async_callback(self._export.close)
            stack.push_async_callback(self.calling.drain)
            stack.push_async_callback(self.models.close)
            stack.push_async_callback(self.laboratory.close)
            stack.push_async_callback(self.retention.close)
            stack.push_async_callback(self.keyring.close)
            stack.push_async_callback(self.calling.limits.close)
