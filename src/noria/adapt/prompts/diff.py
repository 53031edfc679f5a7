"""How two prompt versions differ, as a unified diff of their Markdown form."""

from __future__ import annotations

import difflib

from noria.adapt.prompts.files import dump_markdown
from noria.core.prompts import PromptVersion


def diff(old: PromptVersion, new: PromptVersion) -> str:
    """Unified diff, empty when the templates are the same."""
    lines = difflib.unified_diff(
        dump_markdown(old.name, old.prompt).splitlines(),
        dump_markdown(new.name, new.prompt).splitlines(),
        fromfile=f"{old.name}@{old.version}",
        tofile=f"{new.name}@{new.version}",
        lineterm="",
    )
    return "\n".join(lines)
