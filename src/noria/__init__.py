"""Noria: an LLMOps platform in one package.

Every call becomes a record; every record can be judged; every judgement can change what ships.

For applications: ``noria.trace``, ``noria.context``, ``noria.score``, ``noria.prompt``, ``noria.headers``,
``noria.configure`` and ``noria.flush``, described in docs/sdk.md. They are loaded when they are first used, so that
importing Noria costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noria.sdk import configure, context, flush, headers, prompt, score, trace

__version__ = "0.1.0"

_SDK = ("configure", "context", "flush", "headers", "prompt", "score", "trace")

__all__ = ["__version__", "configure", "context", "flush", "headers", "prompt", "score", "trace"]


def __getattr__(name: str) -> Any:
    if name in _SDK:
        found = getattr(importlib.import_module("noria.sdk"), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'noria' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SDK})
