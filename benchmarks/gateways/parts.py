"""What is measured of a server, one thing at a time; each stops the run where a call fails."""

from __future__ import annotations

import sys

from gateways import TRANSLATED, Gateway, Noria, Seen, ask, send, settled

CONNECTIONS = 32
STREAMS = 32
CHUNKS = 200
_PACED = f"gpt-4o-{CHUNKS}x10"


def one_at_a_time(server: Gateway, calls: int, *, stream: bool = False) -> Seen:
    """Calls of one connection."""
    return _sent(server, server.model("gpt-4o"), calls, stream=stream)


def many_at_a_time(server: Gateway, calls: int) -> Seen:
    """Calls of many connections."""
    return _sent(server, server.model("gpt-4o"), calls, connections=CONNECTIONS)


def chunk_us(server: Gateway) -> float:
    """CPU for a streamed chunk of the caller's own dialect."""
    return _chunk_us(server, server.model(_PACED))


def translated_us(server: Gateway) -> float | None:
    """CPU for a streamed chunk of another dialect; None of servers that are not asked to translate."""
    return _chunk_us(server, f"{TRANSLATED}/{_PACED}") if isinstance(server, Noria) else None


def _chunk_us(server: Gateway, model: str) -> float:
    before, calls = settled(server), 2 * STREAMS
    _sent(server, model, calls, stream=True, connections=STREAMS)
    return 1e6 * (settled(server) - before) / (calls * CHUNKS)


def _sent(server: Gateway, model: str, calls: int, *, stream: bool = False, connections: int = 1) -> Seen:
    body = ask(model, stream=stream)
    seen = send(server.calls, body, server.headers, calls=calls, connections=connections)
    if seen.failed:
        sys.exit(f"{seen.failed} of {calls} calls failed through {server.name}, whose log ends:\n{server.log_end()}")
    return seen
