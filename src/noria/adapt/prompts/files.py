"""Prompt files: Markdown with a YAML head, or YAML alone.

Markdown, the form people edit::

    ---
    name: review-sentiment
    variables:
      review: string
    examples:
      - {review: "Broke after a day.", answer: negative}
    ---
    # system
    You sort product reviews.
    # example user
    Review: {{ review }}
    # example assistant
    {{ answer }}
    # user
    Review: {{ review }}

A line that is exactly ``# system``, ``# developer``, ``# user``, ``# assistant``, ``# tool``, ``# conversation``,
or one of the first five after ``# example``, begins a block; any other heading is text. White space around a block is
not part of it. The YAML form has the same fields, and ``blocks:`` as a list of ``{role, template, each_example}``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import yaml

from noria.core.errors import InvalidInput
from noria.core.prompts import Block, Prompt, Variable
from noria.core.rendering import check
from noria.core.struct import Noun

MAX_BYTES = 1_000_000
"""A prompt file larger than this is a mistake."""

_HEADING = re.compile(r"^# (?:(example) )?(system|developer|user|assistant|tool|conversation)[ \t]*$", re.MULTILINE)
_HEAD = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*$\n?", re.DOTALL | re.MULTILINE)


class PromptFile(Noun, forbid_unknown_fields=True):
    """A prompt as it stands in a file."""

    name: str = ""
    """Name to push it under; by default the file's name."""
    note: str = ""
    """Why this version was made."""
    variables: dict[str, Variable | str] = {}
    """Variables by name: a type, or an object with type, description, required and default."""
    examples: tuple[dict[str, Any], ...] = ()
    """Few-shot examples."""
    blocks: tuple[Block, ...] = ()
    """Messages; in Markdown they are the body."""

    @property
    def prompt(self) -> Prompt:
        """The template itself."""
        variables = {
            name: msgspec.convert({"type": given}, Variable) if isinstance(given, str) else given
            for name, given in self.variables.items()
        }
        return Prompt(blocks=self.blocks, variables=variables, examples=self.examples)


def read_prompt(path: Path) -> PromptFile:
    """Read and check a prompt file; the kind is told by the suffix (``.md``, ``.yaml``, ``.yml``).

    Raises:
        InvalidInput: naming the file and what is wrong with it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"Can't read the prompt file {path}: {error.strerror}.") from error
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"{path} has {len(data):,} bytes; a prompt file has at most {MAX_BYTES:,}.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text (byte {error.start}).") from error
    parsed = parse_prompt(text, markdown=path.suffix.lower() not in {".yaml", ".yml"}, where=str(path))
    return parsed if parsed.name else msgspec.structs.replace(parsed, name=path.stem)


def parse_prompt(text: str, *, markdown: bool = True, where: str = "the prompt") -> PromptFile:
    """Parse and check the text of a prompt file.

    Raises:
        InvalidInput: naming ``where`` and what is wrong.
    """
    text = text.replace("\r\n", "\n")
    if markdown:
        head = _HEAD.match(text)
        fields = _yaml(head.group(1) if head else "", where)
        if "blocks" in fields:
            raise InvalidInput(f"{where}: in Markdown the blocks are the body, not a field of the head.")
        fields["blocks"] = _blocks(text[head.end() :] if head else text, where)
    else:
        fields = _yaml(text, where)
    try:
        parsed = msgspec.convert(fields, PromptFile)
        prompt = parsed.prompt
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{where}: {error}.") from error
    if not prompt.blocks:
        raise InvalidInput(f"{where} has no message.", hint="Begin one with a line such as `# user`.")
    try:
        check(prompt)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error.message}", hint=error.hint) from error
    return parsed


def dump_markdown(name: str, prompt: Prompt, note: str = "") -> str:
    """The Markdown form; parsing it again gives the same prompt, provided no block has white space at its ends."""
    head: dict[str, Any] = {"name": name}
    if note:
        head["note"] = note
    if prompt.variables:
        head["variables"] = {
            key: value.type if value == Variable(type=value.type) else msgspec.to_builtins(value)
            for key, value in prompt.variables.items()
        }
    if prompt.examples:
        head["examples"] = [dict(example) for example in prompt.examples]
    body = "\n\n".join(
        f"# {'example ' if block.each_example else ''}{block.role}\n{block.template}".rstrip("\n")
        for block in prompt.blocks
    )
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n{body}\n"


class _Loader(yaml.SafeLoader):
    """Plain values only. Aliases are refused: a few nested ones unfold to billions of values."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases (`*name`) are not supported here", problem_mark=self.get_mark())
        return super().compose_node(parent, index)


def _yaml(text: str, where: str) -> dict[str, Any]:
    try:
        found = yaml.load(text, _Loader) if text.strip() else {}  # noqa: S506  # a SafeLoader, only stricter
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidInput(f"{where} is not valid YAML{place}: {error.problem or error.context}.") from error
    except yaml.YAMLError as error:
        raise InvalidInput(f"{where} is not valid YAML: {error}.") from error
    if not isinstance(found, dict):
        raise InvalidInput(f"{where}: expected fields such as `name:`, found {type(found).__name__}.")
    return found


def _blocks(body: str, where: str) -> list[dict[str, Any]]:
    headings = list(_HEADING.finditer(body))
    lead = body[: headings[0].start()] if headings else body
    if lead.strip():
        raise InvalidInput(
            f"{where}: the text {lead.strip()[:40]!r} belongs to no message.",
            hint="Begin the body with a line such as `# system` or `# user`.",
        )
    ends = [heading.start() for heading in headings[1:]] + [len(body)] * bool(headings)
    return [
        {
            "role": heading.group(2),
            "template": body[heading.end() : end].strip(),
            "each_example": heading.group(1) is not None,
        }
        for heading, end in zip(headings, ends, strict=True)
    ]
