"""The instrumented applications, and what is known of their libraries."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
PLACE = Path(os.environ.get("NORIA_TEST_INSTRUMENTS") or ROOT / ".venv" / "instruments")
"""Made by scripts/instruments.sh."""
APPS = Path(__file__).parent / "apps"
NODE_APP = APPS / "vercel_ai"

LATEST = {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"}


class Library(NamedTuple):
    """One row of the matrix."""

    title: str
    """As people call it."""
    packages: tuple[str, ...]
    """Whose versions the row names."""
    app: str
    """The file in ``apps``, and the name that it traces under."""
    environ: dict[str, str] = {}
    """What its users set beside the endpoint."""
    node: bool = False
    """Whether it runs on node."""

    @property
    def command(self) -> list[str]:
        if self.node:
            return ["node", str(PLACE / "vercel_ai" / "app.mjs")]
        return [str(PLACE / "bin" / "python"), str(APPS / f"{self.app}.py")]

    @property
    def missing(self) -> str:
        """Why it can't be run here; empty where it can."""
        needed = PLACE / "vercel_ai" / "node_modules" if self.node else PLACE / "bin" / "python"
        return "" if needed.exists() else f"{needed} is not there: make test installs it, npm's where node is"


LIBRARIES = {
    "openinference": Library(
        "OpenInference for OpenAI", ("openinference-instrumentation-openai", "openai"), "openinference_openai"
    ),
    "openai_v2": Library(
        "OpenTelemetry for OpenAI, contents on spans",
        ("opentelemetry-instrumentation-openai-v2", "opentelemetry-util-genai", "openai"),
        "openai_v2",
        {**LATEST, "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_only"},
    ),
    "openai_v2_events": Library(
        "OpenTelemetry for OpenAI, contents as events",
        ("opentelemetry-instrumentation-openai-v2", "opentelemetry-util-genai", "openai"),
        "openai_v2",
        {
            **LATEST,
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "event_only",
            "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT": "true",
        },
    ),
    "traceloop": Library(
        "OpenLLMetry (Traceloop) for OpenAI", ("opentelemetry-instrumentation-openai", "openai"), "traceloop_openai"
    ),
    "pydantic_ai": Library("Pydantic AI through Logfire", ("pydantic-ai-slim", "logfire"), "pydantic_ai_logfire"),
    "langchain": Library(
        "LangChain through OpenInference",
        ("openinference-instrumentation-langchain", "langchain-core", "langchain-openai"),
        "langchain_app",
    ),
    "vercel_ai": Library("Vercel AI SDK", ("ai", "@ai-sdk/openai-compatible"), "vercel_ai", node=True),
}
"""Every library of the matrix, by the name that its application traces under."""


def version(library: Library, package: str) -> str:
    """The version that is installed, which is the one of the lock."""
    if library.node:
        locked: dict[str, Any] = json.loads((NODE_APP / "package-lock.json").read_text())
        return str(locked["packages"][f"node_modules/{package}"]["version"])
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([library.command[0], "-c", code], capture_output=True, text=True, check=True).stdout.strip()
