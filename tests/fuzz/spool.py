"""Coverage-guided fuzzing of the spool's files, with atheris (libFuzzer): whatever the disk gives back is read or told.

    python tests/fuzz/spool.py [CORPUS] [-max_total_time=60]

The first byte says how the rest becomes a segment: as it is, or as frames of which a few bytes are changed.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["noria.stores.segments"]):
    from noria.stores.segments import Damage, Frame, frame, scan

NUMBER = 7


def one_input(data: bytes) -> None:
    """One segment: every byte of it is in a frame or in damage, and a frame is what somebody appended."""
    provider = atheris.FuzzedDataProvider(data)
    segment = bytearray()
    appended: dict[int, bytes] = {}
    if provider.ConsumeBool():
        for _ in range(provider.ConsumeIntInRange(0, 6)):
            payload = provider.ConsumeBytes(provider.ConsumeIntInRange(0, 40))
            appended[len(segment)] = payload
            segment += frame(payload, NUMBER, len(segment))
        changed = provider.ConsumeIntInRange(0, 4) if segment else 0
        for _ in range(changed):
            segment[provider.ConsumeIntInRange(0, len(segment) - 1)] = provider.ConsumeIntInRange(0, 255)
        del segment[len(segment) - provider.ConsumeIntInRange(0, len(segment)) :]
    segment += provider.ConsumeBytes(sys.maxsize)
    base = provider.ConsumeIntInRange(0, 1)
    at = base
    for found in scan(bytes(segment), NUMBER, base=base):
        start = found.start if isinstance(found, Damage) else found.end - len(found.payload) - 12
        assert start == at
        if isinstance(found, Frame):
            whole = bytes(segment[start - base : found.end - base])
            assert whole == frame(found.payload, NUMBER, start)
            if base == 0 and start in appended and whole[12:] != appended[start]:
                raise AssertionError("a changed payload passed for what was appended")
        at = found.end
    assert at == base + len(segment)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
