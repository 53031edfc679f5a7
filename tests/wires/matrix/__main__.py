"""Write docs/fidelity.md: ``PYTHONPATH=src:tests python -m wires.matrix``."""

from wires.matrix.seen import page
from wires.matrix.test_fidelity import PAGE

PAGE.write_text(page())
