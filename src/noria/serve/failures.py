"""What a failure looks like from outside: Noria's own errors as they are, defects without their text."""

from __future__ import annotations

import structlog

from noria.core.errors import NoriaError

_log = structlog.get_logger(__name__)


def own_error(error: Exception, path: str) -> NoriaError:
    """``error`` itself where Noria raised it; a defect is logged, and its caller is shown nothing of the inside."""
    if isinstance(error, NoriaError):
        return error
    _log.error("serve.unexpected", path=path, error=type(error).__name__, exc_info=error)
    return NoriaError("Noria failed; its log says why.")
