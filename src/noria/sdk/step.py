"""A step under way: the handle on its span that ``with noria.trace(...) as span`` gives."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator
from typing import Any

from opentelemetry import context, trace
from opentelemetry.trace import Span, Status, StatusCode

from noria.sdk.fields import CONTENTS, OPERATIONS, PLAIN, Kind, attribute, content_attributes
from noria.sdk.settings import Redact
from noria.sdk.values import bounded

NOT_SHOWN = "[redaction failed]"
"""Stands for a content whose redaction raised: what could not be checked is not recorded."""


class Recording:
    """How contents are recorded: whether at all, how long, and who looks at them first."""

    __slots__ = ("capture", "redact", "value_bytes")

    def __init__(self, *, capture: bool, redact: Redact | None, value_bytes: int) -> None:
        self.capture = capture
        """Whether contents are recorded."""
        self.redact = redact
        """Sees each of them first."""
        self.value_bytes = value_bytes
        """Longest text of one attribute."""


class Step:
    """The span of a step, while it lasts. Nothing here raises, whatever it is given."""

    __slots__ = ("_kind", "_recording", "_span")

    def __init__(self, span: Span, kind: Kind, recording: Recording) -> None:
        self._span = span
        self._kind = kind
        self._recording = recording

    @property
    def span(self) -> Span:
        """OpenTelemetry's span."""
        return self._span

    @property
    def trace_id(self) -> str:
        """32 hex digits."""
        return format(self._span.get_span_context().trace_id, "032x")

    @property
    def span_id(self) -> str:
        """16 hex digits."""
        return format(self._span.get_span_context().span_id, "016x")

    @property
    def records_contents(self) -> bool:
        """Whether it is worth making contents ready."""
        return self._recording.capture and self._span.is_recording()

    def set(self, **facts: Any) -> None:
        """Say something about the step.

        ``input``, ``output``, ``documents`` and ``variables`` are contents; ``model``, ``provider``, ``input_tokens``,
        ``output_tokens``, ``cost_usd``, ``session``, ``user`` and the others in docs/sdk.md are columns of Noria;
        ``name`` renames the step; any other name becomes an attribute. None is ignored.
        """
        if not self._span.is_recording():
            return
        for name, value in facts.items():
            if value is None:
                continue
            if name in CONTENTS:
                self._set_content(name, value)
            elif name == "name":
                self._span.update_name(str(value))
            else:
                self._set(PLAIN.get(name, name), value)

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Make it the current span; what begins in the block is within it."""
        token = context.attach(trace.set_span_in_context(self._span))
        try:
            yield
        finally:
            context.detach(token)

    def fail(self, error: BaseException) -> None:
        """Record that an exception ended the step. Its message is content, the lines of code are not."""
        if not self._span.is_recording():
            return
        kind = type(error)
        if kind.__name__ == "CancelledError":  # asyncio's, concurrent.futures', anyio's: whoever waited went away
            self._span.set_attribute("noria.status", "cancelled")
            return
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        details = {
            "exception.type": name,
            "exception.stacktrace": "".join(traceback.format_tb(error.__traceback__)),
        }
        message = ""
        if self._recording.capture:
            message = str(self._redacted("exception.message", _message(error)))
            details["exception.message"] = message
        self._span.add_event("exception", details)
        self._span.set_attribute("error.type", name)
        self._span.set_status(Status(StatusCode.ERROR, message or name))

    def _set_content(self, name: str, value: Any) -> None:
        if not self._recording.capture:
            return
        shown = self._redacted(name, value)
        if shown is None:
            return
        try:
            found = content_attributes(self._kind, name, shown)
        except Exception:  # noqa: BLE001  # strangers' objects, whose properties may do anything
            found = {f"noria.not_recorded.{name}": type(shown).__name__}
        most = self._recording.value_bytes
        cut = [one for one, text in found.items() if isinstance(text, str) and len(text) > most]
        if cut:
            found |= {one: bounded(str(found[one]), most) for one in cut} | {"noria.cut": cut}
        self._span.set_attributes(found)

    def _set(self, name: str, value: Any) -> None:
        found = attribute(self._redacted(name, value))
        if found is not None:
            self._span.set_attribute(
                name, bounded(found, self._recording.value_bytes) if isinstance(found, str) else found
            )

    def _redacted(self, name: str, value: Any) -> Any:
        if self._recording.redact is None:
            return value
        try:
            return self._recording.redact(name, value)
        except Exception:  # noqa: BLE001  # the application's own function; its failure must not show what it was to hide
            return NOT_SHOWN


def opening(kind: Kind, name: str) -> dict[str, str]:
    """The attributes that a step of this kind begins with."""
    found = {"gen_ai.operation.name": OPERATIONS.get(kind, kind)}
    named = {"tool": "gen_ai.tool.name", "agent": "gen_ai.agent.name"}.get(kind)
    return found | ({named: name} if named else {})


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # a stranger's method
        return ""
