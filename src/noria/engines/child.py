"""What an engine's process does first: take its order, and promise not to outlive its parent.

The other end is :mod:`noria.engines.process`. The agreement between the two:

* the order is one line of JSON on standard input, so that the key is in no command line and no environment;
* standard input then stays open; its end means that the parent is gone, however it died;
* one line of JSON on standard output answers: ``{"port": 41234}``, or ``{"refused": "why", "hint": "what to do"}``;
* everything else that is printed goes to standard error, which is the log file.

Standard library alone: an engine's process should start at once and carry nothing that it does not need.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
from typing import IO, Any, NoReturn

REFUSED_EXIT = 78
"""Exit status after a refusal (``EX_CONFIG`` of sysexits.h): starting again would fail the same way."""

_PR_SET_PDEATHSIG = 1


class Parent:
    """The supervisor, as its child sees it."""

    def __init__(self, order: dict[str, Any], answer: IO[str]) -> None:
        self.order = order
        """What to serve, and the ``host`` and ``api_key`` to serve it with."""
        self._answer = answer

    def listening(self, port: int) -> None:
        """Say where the server listens."""
        self._say({"port": port})

    def refuse(self, why: str, hint: str = "") -> NoReturn:
        """Say why this can't run here, and exit for good."""
        self._say({"refused": why, "hint": hint})
        sys.exit(REFUSED_EXIT)

    def _say(self, answer: dict[str, Any]) -> None:
        # A parent that died meanwhile cannot hear; standard input ends, and this process with it.
        with contextlib.suppress(BrokenPipeError):
            self._answer.write(json.dumps(answer) + "\n")
            self._answer.close()


def take_order() -> Parent:
    """Read the order, and see to it that this process ends with its parent."""
    _die_with_parent()
    # Native libraries print to file descriptor 1 as they like: it becomes the log, and the answer gets its own.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    order: dict[str, Any] = json.loads(sys.stdin.buffer.readline() or b"{}")
    # The parent may have died before the signal was asked for.
    if sys.platform == "linux" and os.getppid() != order.get("parent"):
        os._exit(1)
    threading.Thread(target=_exit_at_end_of_input, name="parent-watch", daemon=True).start()
    return Parent(order, answer)


def _die_with_parent() -> None:
    """Linux kills this process with its parent, even while native code holds the interpreter's lock (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _exit_at_end_of_input() -> None:
    # os.read, because a buffered read would hold a lock that the interpreter wants at its own exit.
    while os.read(0, 4096):
        pass
    os._exit(0)
