"""The shapes that the REST API takes and gives, beside the nouns themselves.

They stand apart from the routes so that a client (the command line) knows them without the web framework.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from noria.core.apps import PRODUCTION, Variant
from noria.core.caching import Pair
from noria.core.datasets import Case
from noria.core.experiments import ExperimentSpec, ExperimentStatus
from noria.core.keys import Permission
from noria.core.limits import Limit, Standing
from noria.core.models import EngineOptions
from noria.core.prompts import Prompt, PromptVersion
from noria.core.requests import Parameters
from noria.core.results import Progress
from noria.core.scores import Score, ScorerSpec
from noria.core.spans import Span
from noria.core.struct import Noun


class PutApp(Noun, forbid_unknown_fields=True):
    """An app to make or describe."""

    name: str
    """Name that callers use as the model."""
    description: str = ""
    """What it is for."""


class PutVariant(Noun, forbid_unknown_fields=True):
    """A variant as people write it; the server resolves names to content ids."""

    model: str
    """``provider/model``."""
    prompt: str | None = None
    """``name``, ``name@version``, ``name@label`` or a prompt id; None sends the caller's messages as they are."""
    params: Parameters = Parameters()
    """Decoding parameters."""


class MadeVariant(Noun):
    """A variant with its id."""

    variant: Variant
    """The variant."""
    variant_id: str
    """Its content id."""


class WeightedVariant(Noun, forbid_unknown_fields=True):
    """A part of the traffic."""

    variant: str
    """Variant's name in the app, or its content id."""
    weight: float = 1.0
    """Relative weight, more than 0."""


class NewRelease(Noun, forbid_unknown_fields=True):
    """Who shall get which variant."""

    shares: tuple[WeightedVariant, ...]
    """One for all traffic, several to split it."""
    shadows: tuple[WeightedVariant, ...] = ()
    """Variants that a part of the calls, above 0 and at most 1, is mirrored to."""
    reason: str = ""
    """Why."""
    experiment_id: str | None = None
    """The experiment that the decision rests on."""
    label: str = PRODUCTION
    """For calls of ``app@label``; ``production`` for those of the app's own name."""


class RollBack(Noun, forbid_unknown_fields=True):
    """Take the release in force back."""

    reason: str = ""
    """Why."""
    label: str = PRODUCTION
    """Under which label it is in force."""


class PutDataset(Noun, forbid_unknown_fields=True):
    """Cases to store as one version."""

    name: str
    """What people call it."""
    cases: tuple[Case, ...]
    """The cases, in order."""


class StartExperiment(Noun, forbid_unknown_fields=True):
    """What to run, and how hard."""

    spec: ExperimentSpec
    """The experiment."""
    app: str | None = None
    """App it is run for."""
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 4
    """Calls under way at a time."""
    fresh: bool = False
    """Begin anew, even where an unfinished experiment with the same spec could be resumed."""


class ExperimentProgress(Noun):
    """An experiment while it runs."""

    id: str
    """The experiment."""
    status: ExperimentStatus
    """Its status."""
    progress: Progress | None = None
    """How far it is; None when it does not run here."""
    error: str = ""
    """Why it failed or stopped."""


class PullModel(Noun, forbid_unknown_fields=True):
    """Weights to fetch."""

    reference: str
    """A known name such as ``smollm2-135m``, ``hf:owner/repo/file.gguf``, or ``file:/path/weights.gguf``."""
    name: str | None = None
    """Name after ``local/``; by default made from the reference."""
    options: EngineOptions = EngineOptions()
    """The engine's flags: the same weights under two names with two sets of flags are two models."""


class AttachMonitor(Noun, forbid_unknown_fields=True):
    """A scorer to attach to an app's calls."""

    name: str
    """Unique name."""
    app: str
    """The app."""
    scorer: ScorerSpec
    """The judgement."""
    rate: float = 1.0
    """Part of the calls that is scored, 0 to 1."""


class PushPrompt(Noun, forbid_unknown_fields=True):
    """A prompt to be stored under a name."""

    name: str
    """Name to push it under."""
    prompt: Prompt
    """The template."""
    note: str = ""
    """Why this version is made."""
    labels: tuple[str, ...] = ()
    """Labels to point at it at once."""


class PushedPrompt(Noun):
    """What came of a push."""

    version: PromptVersion
    """The version that holds the template."""
    new: bool
    """False when this name had the same template already."""


class SetLabel(Noun, forbid_unknown_fields=True):
    """Where a label shall point."""

    ref: str
    """Version number, another label, or the beginning of the prompt's id."""


class ServerReport(Noun):
    """What this server is."""

    version: str
    """Noria's version."""
    data: str
    """Data folder."""
    environment: dict[str, Any]
    """Python, platform and the packages that matter."""
    numbers: dict[str, float]
    """What ``/metrics`` shows."""


class LoginToken(Noun):
    """A token for ``/login?token=...``."""

    token: str
    """Works once."""


class KeptScores(Noun):
    """What came of scores that were given."""

    new: int
    """Scores that are kept from now on."""
    known: int
    """Scores whose id was known already; they are kept once."""


class Trace(Noun):
    """Everything under one trace id."""

    trace_id: str
    """32 hex digits."""
    spans: tuple[Span, ...]
    """Its spans, by start."""
    scores: tuple[Score, ...]
    """The scores on them, by time."""


class OTelSpan(Noun):
    """A span as OpenTelemetry has it."""

    trace_id: str
    """32 hex digits."""
    span_id: str
    """16 hex digits."""
    parent_span_id: str | None = None
    """The enclosing span; absent at the root."""
    name: str
    """What happened."""
    start_time_unix_nano: int
    """Start, nanoseconds since 1970 UTC."""
    end_time_unix_nano: int
    """End, nanoseconds since 1970 UTC."""
    attributes: dict[str, Any]
    """Attributes under their names in the semantic conventions for generative AI, Noria's own under ``noria.``."""


class RecordsPage(Noun):
    """A part of an export."""

    spans: tuple[Span, ...]
    """The next spans."""
    scores: tuple[Score, ...]
    """The scores on them."""
    cursor: str
    """Where to go on. Opaque; only for the same selection."""
    more: bool
    """False at the end of what is there now."""


class PutRecords(Noun, forbid_unknown_fields=True):
    """Spans and scores from elsewhere."""

    spans: tuple[Span, ...] = ()
    """Spans; one that is there already is replaced."""
    scores: tuple[Score, ...] = ()
    """Scores; without a ``trace_id`` it is looked up by ``span_id``."""


class Examine(Noun, forbid_unknown_fields=True):
    """Providers to examine."""

    providers: tuple[str, ...] = ()
    """Their names; none for all that are configured or whose key is there."""
    calls: tuple[str, ...] = ()
    """Models to call, ``provider/model``, which costs money."""


class Calibrate(Noun, forbid_unknown_fields=True):
    """Labelled pairs of questions."""

    embedder: str
    """What turns questions into vectors: ``provider/model``."""
    pairs: Annotated[tuple[Pair, ...], msgspec.Meta(max_length=20_000)]
    """The pairs."""
    most_false: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.02
    """Highest share of different questions that may be taken for one."""


class RunRetention(Noun, forbid_unknown_fields=True):
    """A run of the rules of retention."""

    dry_run: bool = False
    """Change nothing, only tell."""


class EraseUser(Noun, forbid_unknown_fields=True):
    """An end user to erase."""

    user: str
    """The id, as callers name the user."""
    dry_run: bool = False
    """Change nothing, only tell."""


class LimitReport(Noun):
    """A limit, and how it stands."""

    limit: Limit
    """The limit."""
    key: str = ""
    """Name of the one key that it is for, where it is for one."""
    standings: tuple[Standing, ...] = ()
    """How it stands for those whose use was counted in the present window, the fullest first."""


class NewKey(Noun, forbid_unknown_fields=True):
    """A virtual key to make."""

    name: str
    """What to call it."""
    permissions: tuple[Permission, ...] = ("gateway",)
    """What it may do: ``gateway``, ``ingest``, ``read``, ``admin``."""
    apps: tuple[str, ...] | None = None
    """Apps and routes that it may call, with ``*`` for any text. None: all where ``models`` is None too, else none."""
    models: tuple[str, ...] | None = None
    """Models that it may call, such as ``openai/*``. None: all where ``apps`` is None too, else none."""
    team: str = ""
    """The team that answers for it."""
    owner: str = ""
    """Who holds it."""
    expires_ns: int | None = None
    """When it ends, nanoseconds since 1970 UTC; None for never."""


class PutSecret(Noun, forbid_unknown_fields=True):
    """A provider's key to store."""

    provider: str
    """The provider."""
    key: str
    """Its key."""


class RotateKey(Noun, forbid_unknown_fields=True):
    """A new secret for a key."""

    overlap_s: float = 0.0
    """Seconds for which the secret before works on."""
