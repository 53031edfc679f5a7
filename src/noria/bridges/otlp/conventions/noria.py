"""Noria's own names, ``noria.*``: what its SDK sends, and what its export sends to another Noria.

An exported span carries ``noria.span``. It is read exactly: its attributes are what it says and nothing else, so that a
span that went out comes in equal. Without that mark the names only fill columns, as any convention's do.
"""

from __future__ import annotations

from typing import Any

import msgspec

from noria.bridges.otlp.conventions.draft import (
    LINEAGE,
    Column,
    Convention,
    Draft,
    amount,
    claim,
    count,
    flag,
    text,
)
from noria.bridges.otlp.messages import parsed
from noria.bridges.otlp.raw import Attributes
from noria.core.decoding import UNREADABLE
from noria.core.messages import Message
from noria.core.spans import Document

MARK = "noria.span"
"""On spans that Noria exported: the version of how it did."""
FOR_OTHERS = frozenset({"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.retrieval.documents"})
"""What an exported span says in the conventions' words, too, where these can't say it exactly."""
_EXACT: dict[str, Any] = {
    "input": tuple[Message, ...],
    "output": tuple[Message, ...],
    "documents": tuple[Document, ...],
    "finish_reasons": tuple[str, ...],
    "variables": dict[str, Any],
}
_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in _EXACT.items()}


def read(draft: Draft, taken: Attributes) -> None:
    """Nouns in their own JSON, and objects."""
    for name, decoder in _DECODERS.items():
        key = f"noria.{name}"
        if isinstance(value := taken.get(key), str):
            try:
                claim(draft, taken, key, name, decoder.decode(value))
            except UNREADABLE:
                continue
    params = parsed(taken.get("noria.params"))
    if isinstance(params, dict) and draft.offer_params(params):
        del taken["noria.params"]
    rest = parsed(taken.get("noria.attributes"))
    if MARK in taken and isinstance(rest, dict):
        draft.rest |= rest
        del taken["noria.attributes"]
    taken.pop(MARK, None)


def _status(value: Any) -> str | None:
    return value if isinstance(value, str) and value in {"ok", "error", "cancelled"} else None


NORIA = Convention(
    "Noria",
    read,
    {
        **{f"noria.{name}": Column(name, text) for name in LINEAGE - {"repeat"}},
        "noria.repeat": Column("repeat", count),
        "noria.cached": Column("cached", flag),
        "noria.cost_usd": Column("cost_usd", amount),
        "noria.tpot_s": Column("tpot_s", amount),
        "noria.ttft_s": Column("ttft_s", amount),
        "noria.request_id": Column("request_id", text),
        "noria.status": Column("status", _status),
        "noria.operation": Column("operation", text),
        "noria.error_type": Column("error_type", text),
        "noria.error_message": Column("error_message", text),
    },
    keys=frozenset({MARK, "noria.params", "noria.attributes", *(f"noria.{name}" for name in _EXACT)}),
)
