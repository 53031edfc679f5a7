"""Starts a program whose every ``fsync`` asks this process first: that is how a power cut is tried without one.

Linux lets a parent watch chosen system calls of its child (``seccomp`` with user notifications, Linux 5.5, no
privilege needed). The child installs the filter on itself and then becomes the program; the kernel stops each thread
that syncs until the parent has answered: go on, or fail with this error.

As a script, ``python watched.py SOCKET PROGRAM...``, it is that child.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_CALLS = {"x86_64": (317, {74, 75, 277}), "aarch64": (277, {82, 83, 84})}
"""Numbers of ``seccomp``, and of ``fsync``, ``fdatasync`` and ``sync_file_range``."""
_NO_NEW_PRIVILEGES = 38
_SET_FILTER, _NEW_LISTENER = 1, 8
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_LOAD, _EQUALS, _RETURN = 0x20, 0x15, 0x06
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_CONTINUE = 1


class Synced(NamedTuple):
    """A thread of the program wants to sync."""

    pid: int
    """Its process or thread."""
    file: int
    """The file's descriptor over there."""
    path: str
    """What it is the descriptor of."""


Answer = Callable[[Synced], int]
"""0 lets the call go on; an ``errno`` makes it fail."""


def supported() -> bool:
    """Whether this machine can do it."""
    try:
        actions = Path("/proc/sys/kernel/seccomp/actions_avail").read_text(encoding="ascii")
    except OSError:
        return False
    return "user_notif" in actions and os.uname().machine in _CALLS


def command(arguments: list[str], channel: socket.socket) -> list[str]:
    """The command line that starts a program watched; ``channel`` is the end that it inherits."""
    return [sys.executable, __file__, str(channel.fileno()), *arguments]


class Watcher:
    """Answers the syncs of one program, in a thread, until it ends.

    Arguments:
        channel: this end of the socket pair, on which the program hands over what to watch.
        answer: is asked for each sync, one at a time.
    """

    def __init__(self, channel: socket.socket, answer: Answer) -> None:
        self._channel = channel
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, name="watcher", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until the program's last sync was answered; it has ended."""
        self._thread.join(30)

    def _serve(self) -> None:
        with self._channel:
            _, parts, _, _ = self._channel.recvmsg(1, socket.CMSG_SPACE(4))
        if not parts:  # killed before it began
            return
        [listener] = struct.unpack("i", parts[0][2])
        waits = select.poll()
        waits.register(listener, select.POLLIN)
        try:
            while True:
                for _, event in waits.poll():
                    if event & select.POLLIN:
                        self._answer_one(listener)
                    elif event & select.POLLHUP:
                        return
        finally:
            os.close(listener)

    def _answer_one(self, listener: int) -> None:
        request = bytearray(80)
        try:
            fcntl.ioctl(listener, _RECEIVE, request)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.EINTR}:  # killed while it waited
                return
            raise
        number, pid, _, _, _, _, file, *_ = struct.unpack("QIIiIQ6Q", request)
        code = 0
        with contextlib.suppress(OSError):  # killed meanwhile: the file can't be looked at, and nothing was promised
            code = self._answer(Synced(pid, file, str(Path(f"/proc/{pid}/fd/{file}").readlink())))
        reply = struct.pack("QqiI", number, 0, -code, 0 if code else _CONTINUE)
        with contextlib.suppress(OSError):
            fcntl.ioctl(listener, _SEND, bytearray(reply))


def _watch_me() -> int:
    """Install the filter; the descriptor on which the kernel tells of syncs."""
    seccomp, watched = _CALLS[os.uname().machine]
    steps = [struct.pack("HBBI", _LOAD, 0, 0, 0)]
    steps += [struct.pack("HBBI", _EQUALS, len(watched) - at, 0, call) for at, call in enumerate(sorted(watched))]
    steps += [struct.pack("HBBI", _RETURN, 0, 0, _ALLOW), struct.pack("HBBI", _RETURN, 0, 0, _NOTIFY)]
    code = ctypes.create_string_buffer(b"".join(steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
    system = ctypes.CDLL(None, use_errno=True)
    if system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    listener: int = system.syscall(seccomp, _SET_FILTER, _NEW_LISTENER, program)
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return listener


def _become(channel: int, arguments: list[str]) -> None:
    with socket.socket(fileno=channel) as parent:
        listener = _watch_me()
        parent.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))])
    os.execv(arguments[0], arguments)


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
