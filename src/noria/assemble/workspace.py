"""A workspace: the stores, opened, with everything that works on them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

import noria
from noria.adapt.prompts import check
from noria.assemble.activity import Activity, Kind, activities
from noria.assemble.answers import Answers
from noria.assemble.backup import Backups
from noria.assemble.caching import Caches, live_price, with_savings
from noria.assemble.clock import now
from noria.assemble.collecting import BlobCollector
from noria.assemble.cut_calls import CutCalls
from noria.assemble.doctor import Doctor
from noria.assemble.engines import EnginePool
from noria.assemble.environment import environment
from noria.assemble.erasure import Erasures
from noria.assemble.exchange import Exchange
from noria.assemble.exporting import MetricsExport, destination
from noria.assemble.following import following
from noria.assemble.gateway_state import GatewayState, gateway_state
from noria.assemble.given_scores import GivenScores
from noria.assemble.guarding import Guards
from noria.assemble.identifiers import new_id
from noria.assemble.intake import OtlpIntake
from noria.assemble.keyring import Keyring
from noria.assemble.limits import Limits
from noria.assemble.local_models import LocalModels
from noria.assemble.measuring import CallMetrics
from noria.assemble.monitoring import Monitoring
from noria.assemble.opened import Opened, open_folder, open_shared
from noria.assemble.prices import prices_of, unpriced
from noria.assemble.reloading import Reloading
from noria.assemble.replies import RememberedReplies
from noria.assemble.retention import Retention
from noria.assemble.starts import note_key, note_settings
from noria.assemble.tailing import tail
from noria.assemble.traffic import Bucket, By, Traffic, traffic
from noria.core.apps import Variant
from noria.core.audit import SYSTEM
from noria.core.datasets import Case, Dataset, dataset_id
from noria.core.errors import CallFailed, InvalidInput, UnknownName
from noria.core.experiments import ExperimentVariant
from noria.core.keys import Key
from noria.core.prices import Unpriced
from noria.core.prompts import Prompt
from noria.core.protocols import Target, TraceStore
from noria.core.questions import Arrivals, Question
from noria.core.replies import Reply
from noria.core.requests import Parameters, Request, ToEmbed, TraceContext
from noria.core.scores import Scorer, ScorerSpec
from noria.core.secrets import StoredSecret
from noria.core.spans import Span
from noria.evaluate.files.datasets import decode_cases, encode_cases
from noria.evaluate.laboratory import Laboratory
from noria.evaluate.running.runner import Ask
from noria.scorers.registry import kinds, make
from noria.settings import Settings
from noria.stores.secrets import SecretsFolder, master_key
from noria.targets.admitted import Admitted
from noria.targets.egress import Egress
from noria.targets.limited import Limited
from noria.targets.mirror import Mirror
from noria.targets.recorded import Recorded
from noria.targets.recording import random_ids, recorded_call
from noria.targets.routed import Routed
from noria.targets.slots import Slots


class Workspace:
    """What ``serve`` and ``cli`` work with. Made by :func:`open_workspace`."""

    def __init__(  # noqa: PLR0915  # all that works on the stores is made here, each thing in a line
        self,
        settings: Settings,
        environ: Mapping[str, str],
        opened: Opened,
        *,
        egress: Egress,
        read_again: Callable[[], Settings] | None = None,
    ) -> None:
        self.settings = settings
        """The configuration."""
        self.version = noria.__version__
        """Noria's version."""
        self.environment = environment(noria.__version__)
        """What repeating an experiment needs."""
        catalogue, traces, blobs = opened.catalogue, opened.traces, opened.blobs
        self.key = opened.key
        """The admin key."""
        self.prices = prices_of(settings)
        """What calls cost."""
        self._opened, self._environ = opened, environ
        self.catalogue = catalogue
        """Prompts, apps, models, data sets, experiments, monitors."""
        self.keyring = Keyring(catalogue, now)
        """Virtual keys, ready to be compared with."""
        self.traces: TraceStore = traces
        """Spans and scores."""
        self.exchange = Exchange(traces, blobs, settings.large_content_bytes)
        """Exports and imports of the record."""
        self.given_scores = GivenScores(traces, now)
        """Takes scores from outside."""
        self._blobs, self._engines = blobs, EnginePool(blobs, opened.logs)
        self._caches = Caches.open(settings, opened.replies, self.embed)
        self._mirror = Mirror(
            lambda span: traces.append([span]), now=now, new_ids=random_ids, price=self.prices.of_span
        )
        self._answers = Answers(
            settings,
            environ,
            catalogue=catalogue,
            engines=self._engines,
            egress=egress,
            caches=self._caches,
            prices=self.prices,
            mirror=self._mirror.offer,
            guards=Guards(settings.guards),
            stored=self._stored_key,
        )
        self.doctor = Doctor(lambda: self.settings, environ, egress, self._ask, stored=self._stored_key)
        """Examines providers."""
        self.calls = CallMetrics()
        """What live calls were like."""
        self._egress, self._since_ns = egress, now()
        self._export: MetricsExport | None = None
        self.slots = Slots(settings.max_calls, waiting=settings.max_waiting, of="This server")
        """Places for the gateway's calls."""
        self.configuration = Reloading(settings, read_again, self._configure, self._note_settings)
        """Reads the settings again."""
        self._replies = RememberedReplies(traces)
        self.models = LocalModels(catalogue, blobs, self._engines)
        """Weights on this machine and their engines."""
        collector = BlobCollector(catalogue, traces, blobs)
        self.retention = Retention(catalogue, traces, collector, now, self._caches.replies)
        """Deletes what is older than the rules say."""
        self.backups = Backups(catalogue, traces, blobs, now=now, version=self.version, key=lambda: self.key)
        """Writes everything into one stream."""
        self.erasures = Erasures(catalogue, traces, blobs, collector, self._caches.replies)
        """Deletes what is on record about a user."""
        self.monitors = Monitoring(catalogue, self.make_scorer, lambda scores: traces.append(scores=scores))
        """Scorers on live traffic."""
        self.limits = Limits(catalogue, now)
        """Limits and budgets of calls."""
        self._recorded = self._answering()
        self.intake = OtlpIntake(
            traces,
            blobs,
            price=self.prices.of_span,
            now=now,
            large=settings.large_content_bytes,
            watch=self.monitors.offer,
        )
        """Takes OpenTelemetry traffic."""
        self._cut_calls = CutCalls(lambda span: traces.append([span]))
        self.target: Target = Admitted(self._recorded, traces.check_room)
        """Answers every name, and records every call."""
        self.laboratory = Laboratory(
            experiments=catalogue.experiments,
            store=traces,
            load_cases=self.cases,
            make_scorer=self.make_scorer,
            make_call=self._make_call,
            now=now,
            new_id=new_id,
            environment=self.environment,
            hold=lambda experiment_id: catalogue.leases.take(f"experiment {experiment_id}"),
        )
        """Runs experiments."""
        self.ready = True
        """False once closing has begun."""

    def _answering(self) -> Recorded:
        """What answers calls, within limits, and records them."""
        routed = Routed(self._answers.resolve)
        self._limited = Limited(routed, self.limits.matching, self.limits.allowances, self.prices, now)
        price = live_price(self.prices.of_span)
        return Recorded(self._limited, self._record, now=now, new_ids=random_ids, price=price)

    # -- calls ---------------------------------------------------------------------------------------------------

    @staticmethod
    def new_trace_id() -> str:
        """A fresh trace id, 32 hex digits."""
        return random_ids()[0]

    async def callable_models(self) -> Iterable[str]:
        """Names that can be called now: routes and aliases, released apps, then local models."""
        apps = await asyncio.to_thread(self.catalogue.apps.list)
        models = await asyncio.to_thread(self.catalogue.models.list)
        named = [*self.settings.routes, *self.settings.aliases]
        called = [*named, *(app.name for app in apps if app.release and app.name not in named)]
        return called + [f"local/{model.name}" for model in models]

    async def gateway(self) -> GatewayState:
        """How providers, routes, places, kept replies and guards stand in this process."""
        return await gateway_state(
            self.settings,
            self._answers.standing,
            self.slots,
            self.calls,
            self._caches.numbers(),
            since_ns=self._since_ns,
            environ=self._environ,
            stored=self._stored_key,
        )

    def reuses(self, name: str) -> bool:
        """Whether calls of ``name`` may be answered from kept replies."""
        return self._caches.policy(name) is not None

    async def _record(self, span: Span) -> None:
        span = with_savings(span, self.prices.of_span) if span.cached else span
        await self.traces.append([span])
        self.calls.observe(span)
        self.monitors.live.observe(span)

    async def _ask(self, request: Request) -> tuple[Span, Reply]:
        """For judges and the doctor: a call that is made and recorded like any other."""
        request = msgspec.structs.replace(request, cache="skip")
        span, reply = await recorded_call(
            self._answers.resolve(request.model), request, now=now, new_ids=random_ids, price=self.prices.of_span
        )
        await self.traces.append([span])
        return span, reply

    async def embed(self, model: str, text: str, trace: TraceContext | None = None) -> Sequence[float]:
        """The vector of a text: a call of ``provider/model`` that is recorded, in ``trace`` where there is one.

        Raises:
            CallFailed: and what else the call raises; also where the model gives no vector.
        """
        request = Request(model=model, embed=ToEmbed(inputs=(text,)), trace=trace, cache="skip")
        target = self._answers.resolve(model)
        span, reply = await recorded_call(target, request, now=now, new_ids=random_ids, price=self.prices.of_span)
        await self.traces.append([span])
        if not reply.vectors:
            raise CallFailed(f"{model} gives no vectors: {span.error_message or 'its reply held none'}")
        return reply.vectors[0]

    def _make_call(self, entry: ExperimentVariant, cache: bool) -> Ask:
        target = self._answers.variant(entry.variant, self._replies if cache else None, patient=True)

        async def ask(request: Request) -> Span:
            span, _ = await recorded_call(
                target, request, now=now, new_ids=random_ids, price=self.prices.of_span, cut=self._cut_calls
            )
            return span

        return ask

    # -- keys of providers ----------------------------------------------------------------------------------------

    @functools.cached_property
    def secrets(self) -> SecretsFolder:
        """Keys of providers, encrypted at rest."""
        folder, environ = self.settings.folder, self._environ

        def master() -> bytes:
            return master_key(environ.get("NORIA_SECRETS_KEY", ""), environ.get("NORIA_SECRETS_KEY_FILE", ""), folder)

        return SecretsFolder(folder / "secrets", master, now)

    def set_secret(self, provider: str, key: str, *, by: str) -> StoredSecret:
        """Store a provider's key for its base URL. Raises ``UnknownName`` and ``InvalidInput``."""
        there = self.settings.provider(provider)
        if there is None:
            raise UnknownName(f"There is no provider {provider[:80]!r}.", hint="Add it to noria.toml first.")
        made = self.secrets.put(provider, there.base_url, key)
        self.catalogue.audit.add("secret.set", provider, by=by, base_url=made.base_url)
        return made

    def remove_secret(self, provider: str, *, by: str) -> StoredSecret:
        """Delete a provider's stored key. Raises ``UnknownName``."""
        gone = self.secrets.remove(provider)
        self.catalogue.audit.add("secret.removed", provider, by=by, base_url=gone.base_url)
        return gone

    def _stored_key(self, provider: str, base_url: str) -> str | None:
        return self.secrets.get(provider, base_url)

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
        """Spans as they arrive, see :func:`noria.assemble.tailing.tail`."""
        return tail(self.traces, question, after, closing=closing)

    async def activities(self, kind: Kind, question: Question, *, limit: int, offset: int = 0) -> list[Activity]:
        """Sessions, users or traces, see :func:`noria.assemble.activity.activities`."""
        return await activities(self.traces, kind, question, limit=limit, offset=offset)

    async def traffic(self, question: Question, *, by: By, bucket: Bucket, limit: int) -> list[Traffic]:
        """Model calls by time and model, see :func:`noria.assemble.traffic.traffic`."""
        return await traffic(self.traces, question, by=by, bucket=bucket, limit=limit)

    async def unpriced(self, since_ns: int | None, limit: int) -> list[Unpriced]:
        """Models whose calls have no price, see :func:`noria.assemble.prices.unpriced`."""
        return await unpriced(self.traces, since_ns, limit)

    # -- prompts, variants, data sets, scorers -------------------------------------------------------------------

    @staticmethod
    def check_prompt(prompt: Prompt) -> None:
        """Refuse a prompt that can't work. Raises ``InvalidInput``."""
        if not prompt.blocks:
            raise InvalidInput("The prompt has no message.")
        check(prompt)

    def make_variant(self, *, model: str, prompt: str | None, params: Parameters) -> Variant:
        """A variant from names: the prompt as ``name``, ``name@ref`` or id; a local model becomes its set-up's id.

        Raises:
            UnknownName: no such model, provider or prompt.
        """
        self._answers.model(model)
        model_id = None
        if model.startswith("local/"):
            model_id = self.catalogue.models.get(model.removeprefix("local/")).id
        return Variant(model=model, model_id=model_id, prompt_id=self._prompt_id(prompt), params=params)

    def _prompt_id(self, written: str | None) -> str | None:
        if written is None:
            return None
        if written.startswith("prompt_"):
            return self.catalogue.prompts.by_id(written).id
        name, _, ref = written.partition("@")
        return self.catalogue.prompts.get(name, ref or None).prompt_id

    def put_dataset(self, name: str, cases: Sequence[Case], *, by: str = SYSTEM) -> Dataset:
        """Store a version of a data set. Raises ``InvalidInput`` when it is empty."""
        if not cases:
            raise InvalidInput(f"The data set {name!r} has no cases.", kept="Nothing was stored.")
        columns = tuple(dict.fromkeys(column for case in cases for column in case.input))
        blob = self._blobs.put(encode_cases(cases))
        dataset = Dataset(id=dataset_id(cases), name=name, size=len(cases), blob=blob, columns=columns)
        self.catalogue.datasets.put(dataset, by=by)
        return dataset

    def cases(self, dataset_id: str) -> list[Case]:
        """The cases of a data set version."""
        with self._blobs.open(self.catalogue.datasets.get(dataset_id).blob) as file:
            return decode_cases(file.read())

    def open_blob(self, sha256: str) -> BinaryIO:
        """Large content of a record. Raises ``UnknownName``, and ``InvalidInput`` for what is no SHA-256."""
        return self._blobs.open(sha256)

    def make_scorer(self, spec: ScorerSpec) -> Scorer:
        """A scorer. Raises ``UnknownName`` or ``InvalidInput``."""
        return make(spec, ask=self._ask)

    @staticmethod
    def scorer_kinds() -> dict[str, Any]:
        """Every kind of scorer, described."""
        return {name: msgspec.to_builtins(card) for name, card in kinds().items()}

    # -- the workspace itself ------------------------------------------------------------------------------------

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
            self._export = MetricsExport(to, self._egress, self.calls, self.numbers, version=self.version, now=self.now)
            self._export.start()

    def _configure(self, settings: Settings) -> None:
        self._answers.configure(settings)
        self.prices.become(prices_of(settings))
        self.slots.resize(settings.max_calls, waiting=settings.max_waiting)
        self.settings = settings

    def _note_settings(self, settings: Settings) -> None:
        given = self._opened.key_given
        note_settings(self.catalogue.audit, settings, key_from_environment=given, version=self.version)

    def note_login(self) -> None:
        """Tell the audit log that a login link was used."""
        self.catalogue.audit.add("key.used", "login link", by="admin")

    def numbers(self) -> Mapping[str, float]:
        """What ``/metrics`` shows."""
        return {
            **self._opened.numbers(),
            "noria_monitor_scores_total": self.monitors.live.scored,
            "noria_monitor_skipped_total": self.monitors.live.skipped,
            "noria_monitor_failed_total": self.monitors.live.failed,
            **self.intake.numbers(),
            **self.retention.numbers(),
            "noria_keys": self.keyring.size,
            "noria_limits_refused_total": self._limited.refused,
            "noria_limits_asked_total": self.limits.allowances.asks,
            **self._caches.numbers(),
            **self._answers.standing.numbers(),
            "noria_calls_running": self.slots.taken,
            "noria_calls_waiting": self.slots.waiting,
            "noria_calls_shed_total": self.slots.shed,
            "noria_shadows_total": self._mirror.made,
            "noria_shadows_skipped_total": self._mirror.skipped,
            "noria_shadows_failed_total": self._mirror.failed,
            **(self._export.numbers() if self._export else {}),
        }

    async def close(self) -> None:
        """Stop what runs, and leave everything durable. One that fails to stop keeps no other from stopping."""
        self.ready = False
        async with contextlib.AsyncExitStack() as stack:  # closes from the last to the first: whoever calls, first
            stack.push_async_callback(self._caches.close)
            stack.push_async_callback(self._engines.close)
            stack.push_async_callback(self.monitors.live.close)
            if self._export is not None:  # when all calls have ended
                stack.push_async_callback(self._export.close)
            stack.push_async_callback(self._cut_calls.drain)
            stack.push_async_callback(self._mirror.close)
            stack.push_async_callback(self._recorded.drain)
            stack.push_async_callback(self.models.close)
            stack.push_async_callback(self.laboratory.close)
            stack.push_async_callback(self.retention.close)
            stack.push_async_callback(self.keyring.close)
            stack.push_async_callback(self.limits.close)


@contextlib.asynccontextmanager
async def open_workspace(
    settings: Settings, environ: Mapping[str, str], *, holder: str, read_again: Callable[[], Settings] | None = None
) -> AsyncIterator[Workspace]:
    """Open the data folder and everything on it; close it all at the end.

    Files that the process makes meanwhile, databases with their logs among them, are the user's alone (umask 077),
    also where the folder was there before and others may look into it.

    Arguments:
        settings: the configuration.
        environ: where providers' keys and ``NORIA_API_KEY`` are.
        holder: what to tell others who want the folder, such as ``noria up``.
        read_again: reads the settings when a reload is asked for.

    Raises:
        Conflict: another process holds the folder.
        InvalidInput: it is of a newer version, or can't be used.
        Unavailable: the catalogue's database does not answer.
    """
    opening = open_folder(settings, environ, holder=holder)
    async with _workspace(settings, environ, opening, read_again) as workspace:
        yield workspace


@contextlib.asynccontextmanager
async def open_shared_workspace(
    settings: Settings, environ: Mapping[str, str], *, read_again: Callable[[], Settings] | None = None
) -> AsyncIterator[Workspace]:
    """A workspace on stores that several processes share, see :func:`noria.assemble.opened.open_shared`."""
    async with (
        _workspace(settings, environ, open_shared(settings, environ), read_again) as workspace,
        following(workspace.catalogue),
    ):
        yield workspace


@contextlib.asynccontextmanager
async def _workspace(
    settings: Settings,
    environ: Mapping[str, str],
    opening: contextlib.AbstractAsyncContextManager[Opened],
    read_again: Callable[[], Settings] | None,
) -> AsyncIterator[Workspace]:
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(os.umask, os.umask(0o077))
        opened = await stack.enter_async_context(opening)
        if not opened.key_given:
            note_key(opened.catalogue.audit, opened.key.reveal())
        egress = await stack.enter_async_context(contextlib.aclosing(Egress()))
        workspace = Workspace(settings, environ, opened, egress=egress, read_again=read_again)
        stack.push_async_callback(workspace.close)
        await workspace.laboratory.recover()
        yield workspace
