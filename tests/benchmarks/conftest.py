"""The measurements are scripts, not a package: their folder is where Python would look if they were run."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
