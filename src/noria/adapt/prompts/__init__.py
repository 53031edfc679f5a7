"""Prompts: read them from files, render them in a sandbox, show how two versions differ."""

from noria.adapt.prompts.diff import diff
from noria.adapt.prompts.files import dump_markdown, parse_prompt, read_prompt
from noria.core.rendering import check, render

__all__ = ["check", "diff", "dump_markdown", "parse_prompt", "read_prompt", "render"]
