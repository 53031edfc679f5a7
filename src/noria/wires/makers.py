"""Whose seal is on a block of thinking, in the words that OpenRouter has for it (``Thought.format``).

A seal is of use to the provider that made it, and every other one refuses it. Replies are marked as they are read, and the
mark goes to the caller and comes back with the block.
"""

from __future__ import annotations

ANTHROPIC = "anthropic-claude-v1"
GOOGLE = "google-gemini-v1"
OPENAI = "openai-responses-v1"


def may_be(form: str, maker: str) -> bool:
    """Whether a seal of this form may be the maker's: one that says nothing may be anybody's."""
    return not form or form.partition("-")[0] == maker.partition("-")[0]
