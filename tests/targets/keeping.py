"""A recorder's store that keeps each span at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from noria.core.spans import Span
from noria.targets.recording import Recording


def keeping(spans: list[Span]) -> Callable[[Recording], asyncio.Future[Span]]:
    """What is recorded goes to ``spans``."""

    def record(recording: Recording) -> asyncio.Future[Span]:
        spans.append(recording.span())
        done: asyncio.Future[Span] = asyncio.get_running_loop().create_future()
        done.set_result(spans[-1])
        return done

    return record
