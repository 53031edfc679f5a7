"""Coverage-guided fuzzing of the OTLP decoder, with atheris (libFuzzer): refusals are fine, anything else is a defect.

    python tests/fuzz/otlp_decoder.py [CORPUS] [-max_total_time=60]

The first byte chooses encoding and signal, the rest is the body. What is read must also be packed for the spool.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["noria.bridges", "noria.stores.traces.rows"]):
    from noria.bridges.otlp.problems import Notes
    from noria.bridges.otlp.traffic import Reader
    from noria.core.errors import InvalidInput
    from noria.stores.traces.rows import pack

READER = Reader(lambda _: None, lambda content: f"{len(content):064x}", 1024)
NOW_NS = 1_795_600_000_000_000_000


def one_input(data: bytes) -> None:
    """One request."""
    if not data:
        return
    signal = "logs" if data[0] & 1 else "traces"
    encoding = "json" if data[0] & 2 else "protobuf"
    notes = Notes(NOW_NS)
    try:
        records = READER.read(signal, data[1:], encoding, notes)
    except InvalidInput:
        return
    if signal == "traces":
        assert len(records.spans) + sum(notes.refused.values()) == records.received
    for span in records.spans:
        try:
            pack([span], ())
        except InvalidInput:
            continue


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
