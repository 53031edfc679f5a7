"""Coverage-guided fuzzing of the importers, with atheris (libFuzzer): refusals are fine, anything else is a defect.

    python tests/fuzz/importers.py [CORPUS] [-max_total_time=60]

The input is a file: told by its content, surveyed, read. What is read must also be packed for the spool.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["noria.bridges", "noria.evaluate.files.rows"]):
    from noria.assemble.record.trace_files import opened_import
    from noria.core.errors import InvalidInput
    from noria.stores.traces.rows import pack

FILE = Path(tempfile.mkdtemp(prefix="noria-fuzz-")) / "file"


def one_input(data: bytes) -> None:
    """One file. Parquet is DuckDB's to read, and other people's to fuzz."""
    if data.startswith(b"PAR1"):
        return
    FILE.write_bytes(data)
    source = opened_import([FILE])
    try:
        survey = source.survey()
        batches = list(source.batches())
    except InvalidInput:
        return
    assert survey.spans == sum(len(batch.spans) for batch in batches)
    for batch in batches:
        try:
            pack(batch.spans, batch.scores)
        except InvalidInput:
            continue


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
