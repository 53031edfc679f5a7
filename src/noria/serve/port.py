"""The port that a server listens on: taken, or why not."""

from __future__ import annotations

import errno
import os
import socket

from noria.core.errors import Conflict, InvalidInput


def bind(host: str, port: int) -> socket.socket:
    """Take the port.

    Raises:
        Conflict: it is in use.
        InvalidInput: the address is not this machine's, or not allowed.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, proto)
    except (OSError, UnicodeError) as error:  # UnicodeError: no name that DNS could know
        raise InvalidInput(f"Can't listen on {host}:{port}: {getattr(error, 'strerror', None) or error}.") from error
    try:
        if os.name == "posix":  # elsewhere the option would let two servers share the port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen()  # here already: of two servers that start together, one must be told
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise Conflict(f"Port {port} on {host} is in use.", hint="Choose another with --port.") from error
        raise InvalidInput(f"Can't listen on {host}:{port}: {error.strerror or error}.") from error
    return bound
