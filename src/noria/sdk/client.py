"""The SDK of one process: its place among OpenTelemetry's providers, its outboxes, its prompts.

There is one per process, as there is one OpenTelemetry: decorators and blocks all over an application mean the same.
It is made at first use from the environment, or by :func:`configure`.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from noria.core.errors import InvalidInput
from noria.sdk.connection import Connection
from noria.sdk.counts import Counts, Stats
from noria.sdk.fields import Kind
from noria.sdk.outbox import Outbox
from noria.sdk.prompts import Prompts
from noria.sdk.scores import scores_letter
from noria.sdk.settings import SDKSettings, sdk_settings
from noria.sdk.step import Recording, Step, opening

if TYPE_CHECKING:  # a tenth of a second that an application without a server need not pay
    from opentelemetry.sdk.trace import ReadableSpan

    from noria.sdk.processor import NoriaProcessor

log = logging.getLogger("noria.sdk")


class Client:
    """Everything that the SDK holds.

    Arguments:
        settings: its configuration. Without a URL, spans go where the application's own OpenTelemetry sends them, scores
            nowhere.
        provider: OpenTelemetry's tracer provider to work with; by default the process's own, which is set where the
            application has set none.
    """

    def __init__(self, settings: SDKSettings, provider: trace.TracerProvider | None = None) -> None:
        self.settings = settings
        """The configuration."""
        self.scores: Outbox[bytes] | None = None
        """Scores on their way."""
        self.spans: Outbox[ReadableSpan] | None = None
        """Spans on their way."""
        self.prompts: Prompts | None = None
        """Prompt versions."""
        self._captured = self.recording(capture=True)
        self._silent = self.recording(capture=False)
        if settings.url:
            self.scores = Outbox(scores_letter(), self._connection(), settings)
            self.prompts = Prompts(self._connection(), settings.prompt_ttl_s)
        self._processor: NoriaProcessor | None = None
        self._provider = self._join(provider)
        self._tracer = self._provider.get_tracer("noria.sdk")

    def begin(self, name: str, kind: Kind, capture: bool | None, attributes: dict[str, Any]) -> Step:
        """Begin a step within the current one."""
        span = self._tracer.start_span(name, attributes=opening(kind, name))
        captures = self.settings.capture if capture is None else capture
        step = Step(span, kind, self._captured if captures else self._silent)
        if attributes:
            step.set(**attributes)
        return step

    def recording(self, *, capture: bool | None = None) -> Recording:
        """How contents are recorded."""
        settings = self.settings
        captures = settings.capture if capture is None else capture
        return Recording(capture=captures, redact=settings.redact, value_bytes=settings.value_bytes)

    def stats(self) -> Stats:
        """What became of everything."""
        spans, scores = self.spans, self.scores
        return Stats(spans=spans.counts() if spans else Counts(), scores=scores.counts() if scores else Counts())

    def flush(self, timeout_s: float) -> bool:
        """Send what waits."""
        return self._both(lambda outbox, left_s: outbox.flush(left_s), timeout_s)

    def close(self, timeout_s: float, *, replaced: bool = False) -> bool:
        """Send what waits, then stop. Spans that end later are counted as lost, or are another client's to send."""
        if self.prompts is not None:
            self.prompts.close()
        if replaced and self._processor is not None:
            self._processor.retire()
        return self._both(lambda outbox, left_s: outbox.close(left_s), timeout_s)

    def _both(self, act: Any, timeout_s: float) -> bool:
        end = time.monotonic() + timeout_s
        done = [act(box, max(0.0, end - time.monotonic())) for box in (self.spans, self.scores) if box is not None]
        return all(done)

    def _connection(self) -> Connection:
        return Connection(self.settings.url, self.settings.key, self.settings.timeout_s)

    def _join(self, given: trace.TracerProvider | None) -> trace.TracerProvider:
        """The provider that the application has set, else a new one, set for the whole process; ours among its processors."""
        found = given or trace.get_tracer_provider()
        ours = isinstance(found, trace.ProxyTracerProvider)
        if ours and not self.settings.url:
            return found  # silent until the application sets one
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  # see above
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

        from noria.sdk.processor import NoriaProcessor, spans_letter  # noqa: PLC0415

        provider = found
        if not isinstance(found, TracerProvider):  # none, or a stranger that takes no processors
            app = self.settings.app
            provider = TracerProvider(resource=Resource.create({"service.name": app} if app else {}))
            if ours:
                trace.set_tracer_provider(provider)
        assert isinstance(provider, TracerProvider)  # noqa: S101  # the lines above
        if self.settings.url:
            self.spans = Outbox(spans_letter(), self._connection(), self.settings)
        stamps = {"noria.app": self.settings.app} if self.settings.app else {}
        self._processor = NoriaProcessor(self.spans, stamps)
        provider.add_span_processor(self._processor)
        return provider


class _Process:
    """The process's client."""

    def __init__(self) -> None:
        self.client: Client | None = None
        self._lock = threading.RLock()
        self._leaving = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def current(self) -> Client:
        """The client; made from the environment at first use."""
        if self.client is not None:
            return self.client
        with self._lock:
            if self.client is None:
                try:
                    self.replace(sdk_settings(os.environ))
                except InvalidInput as error:
                    log.warning("nothing is sent to Noria: %s", error)
                    self.replace(SDKSettings())
            return self._made()

    def replace(self, settings: SDKSettings) -> None:
        """Work with other settings from now on; what waits under the former is sent."""
        with self._lock:
            former, self.client = self.client, Client(settings)
            if not self._leaving:
                self._leaving = True
                atexit.register(self._leave)
        if former is not None:
            former.close(former.settings.exit_s, replaced=True)

    def _made(self) -> Client:
        assert self.client is not None  # noqa: S101  # made by who calls
        return self.client

    def _leave(self) -> None:
        if self.client is not None:
            with contextlib.suppress(RuntimeError):  # no thread begins at this hour
                self.client.close(self.client.settings.exit_s)

    def _after_fork(self) -> None:
        self._lock = threading.RLock()


_process = _Process()  # the one state of this package, as OpenTelemetry's provider is of its own


def current() -> Client:
    """The process's client; made from the environment at first use."""
    return _process.current()


def configure(**settings: Any) -> None:
    """Say where Noria is and what may be recorded, before the first traced call; else the environment says it.

    Arguments:
        settings: the fields of :class:`~noria.sdk.settings.SDKSettings`: ``url``, ``key``, ``app``, ``capture``,
            ``redact`` and the bounds.

    Raises:
        InvalidInput: the URL is none, the key can't be sent, or there is no such setting.
    """
    _process.replace(sdk_settings(os.environ, **settings))


def flush(timeout_s: float = 10.0) -> bool:
    """Send what waits now. True when everything was sent or given up in time."""
    return current().flush(timeout_s)


def shutdown(timeout_s: float = 5.0) -> bool:
    """Send what waits and stop; also done at the end of the process. True when nothing of it was lost."""
    return current().close(timeout_s)


def stats() -> Stats:
    """How many spans and scores were made, sent, dropped and wait."""
    return current().stats()
