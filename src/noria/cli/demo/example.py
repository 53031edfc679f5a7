"""Where the example application of the demo lies: in the installed package, or in a checkout."""

from __future__ import annotations

from pathlib import Path

import noria
from noria.core.errors import InvalidInput

NAME = "question-triage"
"""The example, and its app."""


def example_folder() -> Path:
    """The example's folder.

    Raises:
        InvalidInput: this installation came without it.
    """
    package = Path(noria.__file__).parent
    for folder in (package / "examples" / NAME, package.parent.parent / "examples" / NAME):
        if folder.is_dir():
            return folder
    raise InvalidInput(
        "The demo's example is not part of this installation.", hint="Install Noria from a wheel or a clone."
    )
