"""``noria.headers``: hands the place in the trace to whoever is called next, Noria's gateway above all."""

from __future__ import annotations

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


def headers() -> dict[str, str]:
    """HTTP headers that make a call a part of the current step (W3C Trace Context); empty where none is under way.

    They name the trace and nothing else: neither session nor user.
    """
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier
