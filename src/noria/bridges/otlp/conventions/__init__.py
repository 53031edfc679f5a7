"""Whose attribute names they are: one file a convention, and the order in which they are asked.

The earlier of two conventions fills a column that both speak of. Noria's own names say exactly what is meant;
OpenTelemetry's current ones come next; after them those that people's instrumentations add beside older ones.
"""

from __future__ import annotations

from noria.bridges.otlp.conventions.genai import GENAI
from noria.bridges.otlp.conventions.genai_before import GENAI_BEFORE
from noria.bridges.otlp.conventions.langfuse import LANGFUSE
from noria.bridges.otlp.conventions.mlflow import MLFLOW
from noria.bridges.otlp.conventions.noria import NORIA
from noria.bridges.otlp.conventions.openinference import OPENINFERENCE
from noria.bridges.otlp.conventions.reading import Table
from noria.bridges.otlp.conventions.traceloop import TRACELOOP
from noria.bridges.otlp.conventions.vercel import VERCEL

CONVENTIONS = (NORIA, GENAI, LANGFUSE, VERCEL, OPENINFERENCE, MLFLOW, TRACELOOP, GENAI_BEFORE)
"""All of them, those that win first."""

ALL = Table(CONVENTIONS)
"""Reads a span that anybody made."""
OWN = Table((NORIA, GENAI))
"""Reads a span that Noria exported."""
