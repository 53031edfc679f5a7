"""Coverage-guided fuzzing of every wire in both directions, with atheris (libFuzzer): refusals are fine, all else is a defect.

    python tests/fuzz/wires.py [CORPUS] [-max_total_time=60]

The first byte chooses the direction, the next three the wires and what was asked, the rest are the bytes that came.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["noria.wires", "noria.core"]):
    from wires.any_bytes import answered, called


def one_input(data: bytes) -> None:
    """One body."""
    if len(data) < 4:
        return
    direction, first, second, third = data[:4]
    if direction & 1:
        answered(first, second, third, data[4:])
    else:
        called(first, second, data[4:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
