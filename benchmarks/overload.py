"""What callers get when more calls come than the gateway has CPU for.

    python benchmarks/overload.py [--seconds 8] [--connections 500] [--late 100 0] [--json]

First what it can answer with 64 calls at a time; then calls come at random at 0.8, 1.5 and 3 times that rate, whatever becomes of them,
once for each ``max_late_ms`` of ``--late``, of which 0 turns nobody away. *in time* is within a second of when the call came.
The client and the provider are on the same machine.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
from gateways import Direct, Noria, ask, scratch, send
from gateways.paced import Came, Pace
from report import Report, arguments

TIMES = (0.8, 1.5, 3.0)
AT_A_TIME = 64
_PROGRAM = Path(__file__).with_name("gateways") / "paced.py"


def paced(server: Noria, body: dict[str, Any], *, rate: float, seconds: float, connections: int) -> Came:
    """Send calls from a process of their own."""
    pace = Pace(
        url=server.calls, body=body, headers=dict(server.headers), rate=rate, seconds=seconds, connections=connections
    )
    done = subprocess.run(
        [sys.executable, str(_PROGRAM), msgspec.json.encode(pace).decode()], capture_output=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr.decode())
    return msgspec.json.decode(done.stdout, type=Came)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--calls", type=int, default=6000, help="by which the rate is found")
    parser.add_argument("--late", type=int, nargs="*", default=[0, 100], metavar="MS")
    given = parser.parse_args()
    columns = [
        "max_late_ms, times",
        "calls/s",
        "answered/s",
        "in time/s",
        "shed/s",
        "failed",
        "p50 ms",
        "p99 ms",
        "shed p50",
    ]
    report = Report(f"Calls for {given.seconds:g} s, {given.connections} connections", columns, as_json=given.json)
    with scratch() as place:
        provider = Direct(Path(place), "")
        provider.start()
        try:
            for late in given.late:
                with scratch() as folder:
                    server = Noria(Path(folder), provider.upstream, {"NORIA_MAX_LATE_MS": str(late)})
                    server.start()
                    try:
                        measure(server, late, given.seconds, given.connections, given.calls, report)
                    finally:
                        server.stop()
        finally:
            provider.stop()
    report.end()


def measure(server: Noria, late: int, seconds: float, connections: int, calls: int, report: Report) -> None:
    """One server."""
    body = ask(server.model("gpt-4o"))
    send(server.calls, body, server.headers, calls=500, connections=8)
    whole = send(server.calls, body, server.headers, calls=calls, connections=AT_A_TIME)
    most = whole.calls / whole.seconds
    report.add(f"{late}, {AT_A_TIME} at a time", most, most, None, None, whole.failed, whole.p50_ms, whole.p99_ms, None)
    for times in TIMES:
        came = paced(server, body, rate=times * most, seconds=seconds, connections=connections)
        a_second = (count / seconds for count in (came.sent, came.answered, came.in_time, came.shed))
        report.add(f"{late}, {times:g}", *a_second, came.failed, came.p50_ms, came.p99_ms, came.shed_p50_ms)


if __name__ == "__main__":
    main()
