"""What a row of Langfuse's exports is, and what stands in its columns, by the names and habits of any of its versions."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from noria.bridges.files.foreign import listed, mapping, parsed, score_value
from noria.core.scores import Value

_TYPES = frozenset(
    {
        "SPAN", "GENERATION", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL",
    }
)  # fmt: skip
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake(values: dict[str, Any]) -> dict[str, Any]:
    """A row with its columns as the storage export names them."""
    return {_CAMEL.sub("_", name).lower(): value for name, value in values.items()}


def is_observation(row: dict[str, Any]) -> bool:
    """Whether it is a step."""
    return row.get("type") in _TYPES and "start_time" in row and "trace_id" in row


def is_score(row: dict[str, Any]) -> bool:
    """Whether it is a judgement."""
    return "name" in row and "source" in row and ("data_type" in row or "value" in row) and "start_time" not in row


def is_trace(row: dict[str, Any]) -> bool:
    """Whether it is a trace."""
    return {"id", "timestamp"} <= row.keys() and not {"session_id", "user_id", "observations"}.isdisjoint(row)


def rows_in(row: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The rows within a row."""
    return [snake(one) for one in listed(row.get(name)) if isinstance(one, dict)]


def shared_by(row: dict[str, Any]) -> dict[str, Any]:
    """What traces' rows and enriched observations' rows have alike."""
    return {
        "user.id": row.get("user_id") or None,
        "session.id": row.get("session_id") or None,
        "langfuse.trace.name": row.get("trace_name") or None,
        "langfuse.version": row.get("version") or None,
        "langfuse.environment": row.get("environment") or None,
        "langfuse.release": row.get("release") or None,
        "langfuse.trace.tags": listed(row.get("tags")) or None,
    }


def told_by(row: dict[str, Any]) -> dict[str, Any]:
    """What a trace's row says beyond its user and session."""
    metadata = mapping(row.get("metadata"))
    return shared_by(row) | {f"langfuse.trace.metadata.{name}": parsed(value) for name, value in metadata.items()}


def usage_of(row: dict[str, Any]) -> dict[str, Any]:
    """Token counts; older rows have ``usage``."""
    details = mapping(row.get("usage_details")) or mapping(row.get("usage"))
    return {name: count for name, value in details.items() if isinstance(count := _number(value), int)}


def costs_of(row: dict[str, Any]) -> dict[str, Any]:
    """Dollars. A total of 0 is what Langfuse writes where it knows none."""
    costs = {name: _number(value) for name, value in mapping(row.get("cost_details")).items()}
    total = _number(row.get("total_cost") or row.get("calculated_total_cost"))
    found = {name: value for name, value in costs.items() if value is not None}
    return found if not total else found | {"total": total}


def _number(value: Any) -> int | float | None:
    """A number, also as text; whole ones as such."""
    try:
        found = float(value) if isinstance(value, str) and len(value) < 40 else value
    except ValueError:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not abs(found) < 1e18:
        return None
    return int(found) if float(found).is_integer() else found


def words_of(value: Any) -> str | None:
    """Text as it is, anything else as its JSON."""
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


def value_of(row: dict[str, Any]) -> Value | None:
    """A score's value; None where it has none."""
    kind, value, written = row.get("data_type"), row.get("value"), row.get("string_value")
    if kind == "BOOLEAN":
        return written == "True" if written else bool(_number(value)) if value is not None else None
    if kind == "NUMERIC" or (kind is None and not written):
        found = _number(value)
        return score_value(value) if found is None else float(found)
    return score_value(written or value)
