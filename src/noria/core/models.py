"""Local models: weights with engine flags, as one content-addressed set-up."""

from __future__ import annotations

from typing import Literal

from noria.core.identity import content_id
from noria.core.struct import Noun

KVCacheType = Literal["f16", "q8_0", "q4_0"]
Pooling = Literal["mean", "cls", "last"]


class EngineOptions(Noun, forbid_unknown_fields=True):
    """Flags of a local engine that change answers, speed or memory."""

    context: int = 4096
    """Context length in tokens, for each slot."""
    slots: int = 4
    """Requests decoded at the same time (continuous batching)."""
    threads: int | None = None
    """CPU threads; None takes one for each physical core the process may use."""
    kv_cache: KVCacheType = "f16"
    """Element type of the KV cache."""
    flash_attention: bool | None = None
    """None leaves it to the engine; a quantised V cache needs it."""
    batch: int = 2048
    """Most prompt tokens processed in one step."""
    pooling: Pooling | None = None
    """How the vectors of a text's tokens become one. None leaves it to the weights: those for embeddings or ranking say it,
    those for generating text don't, and then give no vectors."""


class LocalModel(Noun):
    """Weights on this machine, and how to serve them."""

    name: str
    """Name after ``local/``."""
    sha256: str
    """Digest of the weights file; also its blob's name."""
    size: int
    """Bytes of the weights file."""
    source: str
    """Where it came from: a catalogue name, ``hf:...`` or ``file:...``."""
    format: Literal["gguf"] = "gguf"
    """File format."""
    engine: str = "llamacpp"
    """Engine that serves it."""
    options: EngineOptions = EngineOptions()
    """The engine's flags."""
    licence: str = ""
    """SPDX id, where known."""
    created_ns: int = 0
    """When it was pulled, nanoseconds since 1970 UTC."""

    @property
    def id(self) -> str:
        """Content id of the set-up: weights, engine and flags; not the name, the source or the time."""
        parts = {"sha256": self.sha256, "format": self.format, "engine": self.engine, "options": self.options}
        return content_id("model", parts)
