"""The table of docs/instrumentations.md, from the spans that the applications sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .libraries import LIBRARIES, Library, version

Spans = list[dict[str, Any]]

COLUMNS = (
    "operation", "provider", "request_model", "response_model", "params", "input", "output", "finish_reasons",
    "tool_name", "documents", "variables", "input_tokens", "output_tokens", "cached_tokens", "ttft_s", "error_type",
    "error_message",
)  # fmt: skip
LINEAGE = ("session_id", "user_id")


def table(seen: Mapping[str, Spans]) -> str:
    """The whole table."""
    head = "| library | versions | columns filled | stays an attribute |\n|---|---|---|---|\n"
    return head + "".join(row(LIBRARIES[name], spans) for name, spans in seen.items())


def row(library: Library, spans: Spans) -> str:
    """One library's row."""
    versions = ", ".join(f"{package} {version(library, package)}" for package in library.packages)
    return f"| {library.title} | {versions} | {', '.join(filled(spans))} | {', '.join(stays(spans))} |\n"


def filled(spans: Spans) -> list[str]:
    """Columns that any of the spans has; operations and parameters by name."""
    found = []
    for name in COLUMNS:
        values = [span[name] for span in spans if span[name] not in (None, [], {}, "")]
        if not values:
            continue
        if name == "operation":
            found.append(f"operation ({', '.join(sorted(set(values)))})")
        elif name == "params":
            found.append(f"params ({', '.join(sorted({key for value in values for key in value}))})")
        else:
            found.append(name)
    return found + [name for name in LINEAGE if any(span["lineage"][name] for span in spans)]


def stays(spans: Spans) -> list[str]:
    """Attributes that no column took, list indices as N; without those of process, scope and span kind."""
    keys = {re.sub(r"\.\d+\.", ".N.", key) for span in spans for key in span["attributes"]}
    return [f"`{key}`" for key in sorted(keys) if not key.startswith(("resource.", "otel."))]
