"""Prompts: immutable, content-addressed templates of messages with typed variables."""

from __future__ import annotations

from typing import Any, Literal

from noria.core.identity import content_id
from noria.core.messages import Role
from noria.core.struct import Noun

VariableType = Literal["string", "integer", "number", "boolean", "list", "object"]


class Variable(Noun):
    """One value that a prompt needs."""

    type: VariableType = "string"
    """JSON type of the value."""
    description: str = ""
    """What to put there."""
    required: bool = True
    """False when the template works without it."""
    default: Any = None
    """Value used when an optional variable is not given."""


class Block(Noun):
    """One message of the template, or the place where the caller's conversation goes."""

    role: Role | Literal["conversation"]
    """Role of the message; ``conversation`` marks the place of the caller's own messages."""
    template: str = ""
    """Template text (Jinja syntax, rendered in a sandbox)."""
    each_example: bool = False
    """True: this block belongs to the few-shot part, rendered once for each example, in order."""


class Prompt(Noun):
    """A template. Its id covers all fields, so a prompt never changes; names and labels point at it."""

    blocks: tuple[Block, ...]
    """Messages in order."""
    variables: dict[str, Variable] = {}
    """Typed variables by name."""
    examples: tuple[dict[str, Any], ...] = ()
    """Few-shot examples: values for the blocks with ``each_example``."""

    @property
    def id(self) -> str:
        """Content id."""
        return content_id("prompt", self)


class PromptVersion(Noun):
    """A prompt under a name: version 1, 2, 3 ..."""

    name: str
    """The prompt's name."""
    version: int
    """Counts from 1, in order of first push; pushing known content again makes no new version."""
    prompt_id: str
    """Content id of the template."""
    prompt: Prompt
    """The template."""
    labels: tuple[str, ...] = ()
    """Labels that point here now, such as ``production``."""
    note: str = ""
    """Why it was made."""
    created_ns: int = 0
    """When it was pushed, nanoseconds since 1970 UTC."""
    created_by: str = ""
    """Who pushed it."""


class LabelMove(Noun):
    """A label was set, or moved to another version."""

    name: str
    """The prompt's name."""
    label: str
    """The label."""
    version: int
    """Where it points from then on, until its next move."""
    moved_ns: int
    """When, nanoseconds since 1970 UTC."""
    moved_by: str
    """Who moved it."""
