"""The SDK: tracing, scores and prompts for applications, on OpenTelemetry.

It knows nothing of stores, servers or models: it makes OpenTelemetry spans and sends them to a URL. An application works
on when that URL is not set, wrong, slow or gone; :func:`stats` says what could not be sent.
"""

from noria.sdk.client import configure, flush, shutdown, stats
from noria.sdk.counts import Counts, Stats
from noria.sdk.headers import headers
from noria.sdk.judging import score
from noria.sdk.prompting import FilledPrompt, prompt
from noria.sdk.step import Step
from noria.sdk.surroundings import context
from noria.sdk.traced import trace

__all__ = [
    "Counts",
    "FilledPrompt",
    "Stats",
    "Step",
    "configure",
    "context",
    "flush",
    "headers",
    "prompt",
    "score",
    "shutdown",
    "stats",
    "trace",
]
