"""TensorZero's HTTP gateway out of its Python package, which has no program for it.

    python benchmarks/gateways/tensorzero_server.py CONFIG PORT_FILE

Python starts it and then sleeps: what answers are the threads of the Rust gateway, with its own HTTP server and client.
It takes a free port and writes its number to the file. The function that starts it is private, but that is what
``tensorzero.patch_openai_client`` calls.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tensorzero import _start_http_gateway


def main() -> None:
    settings = {"clickhouse_url": None, "postgres_url": None, "valkey_url": None}
    gateway = _start_http_gateway(config_file=sys.argv[1], async_setup=False, **settings)
    Path(sys.argv[2]).write_text(str(urlsplit(gateway.base_url).port))
    signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    main()
