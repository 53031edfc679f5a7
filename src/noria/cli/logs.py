"""Events as lines on standard error, for commands that do their work in this process."""

from __future__ import annotations

import logging
import os
import sys

import structlog
from structlog.typing import EventDict


def configure_logging(level: str, **always: object) -> None:
    """Show events of ``level`` (``debug``, ``info``, ``warning``, ``error``) and above, each with ``always``."""

    def name(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {**event, **always}

    structlog.configure(
        processors=[
            name,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"),
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
