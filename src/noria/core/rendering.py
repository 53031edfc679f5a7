"""Rendering a prompt: typed values in, messages out, inside a sandbox.

Templates are Jinja syntax run by MiniJinja, a Rust engine without access to Python objects: a template can read the
values it is given and nothing else, may not load other templates, and is stopped after a fixed number of steps. Memory
is not bounded (a template can double a text until none is left), so a template is as trusted as whoever may push one.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import minijinja

from noria.core.errors import InvalidInput
from noria.core.messages import Message
from noria.core.prompts import Block, Prompt, Variable, VariableType

FUEL = 100_000
"""Most template instructions for one message: a page of text takes some hundreds."""

_TYPES: dict[VariableType, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list, tuple),
    "object": (dict,),
}


def render(prompt: Prompt, variables: Mapping[str, Any], conversation: Sequence[Message] = ()) -> tuple[Message, ...]:
    """The messages to send.

    Arguments:
        prompt: the template.
        variables: values by name; unknown names are an error, because a misspelt one would vanish silently.
        conversation: the caller's own messages, put where the prompt has its ``conversation`` block.

    Raises:
        InvalidInput: a value is missing, unknown or of the wrong type; the template is wrong; or there is a
            conversation and no place for it.
    """
    values = _checked(prompt.variables, variables)
    if conversation and not any(block.role == "conversation" for block in prompt.blocks):
        raise InvalidInput(
            f"The prompt has no place for the conversation, so {len(conversation)} message(s) would be lost.",
            hint="Add a `# conversation` block to the prompt, or send variables only.",
        )
    messages: list[Message] = []
    for few_shot, blocks in _stretches(prompt.blocks):
        for example in prompt.examples if few_shot else ({},):
            for block in blocks:
                if block.role == "conversation":
                    messages.extend(conversation)
                else:
                    text = _fill(block.template, {**values, **example} if few_shot else values, block)
                    messages.append(Message(role=block.role, content=text))
    return tuple(messages)


def check(prompt: Prompt) -> None:
    """Refuse a prompt that can't work: a syntax error, or a name in a template that no variable declares.

    Raises:
        InvalidInput: naming the block and the line.
    """
    example_names = {name for example in prompt.examples for name in example}
    for block in prompt.blocks:
        known = set(prompt.variables) | (example_names if block.each_example else set())
        for name in sorted(_names(block) - known):
            raise InvalidInput(
                f"The {block.role} block uses {name!r}, which is not among the prompt's variables "
                f"({', '.join(sorted(known)) or 'it has none'}).",
                hint="Declare it under `variables:`, or correct the template.",
            )
    for number, example in enumerate(prompt.examples, 1):
        used: set[str] = set()
        for block in prompt.blocks:
            used |= _names(block) if block.each_example else set()
        missing = sorted(used - set(example) - set(prompt.variables))
        if missing:
            raise InvalidInput(f"Example {number} lacks {', '.join(map(repr, missing))}.")
    if prompt.examples and not any(block.each_example for block in prompt.blocks):
        raise InvalidInput(
            "The prompt has examples and no block that shows them.",
            hint="Add `# example user` and `# example assistant` blocks.",
        )


def _checked(declared: Mapping[str, Variable], given: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise InvalidInput(
            f"The prompt has no variable {unknown[0]!r}; it takes {', '.join(sorted(declared)) or 'none'}."
        )
    values: dict[str, Any] = {}
    for name, variable in declared.items():
        if name not in given:
            if variable.required:
                raise InvalidInput(f"The prompt needs a value for {name!r}.")
            values[name] = variable.default
            continue
        value = given[name]
        wrong_bool = isinstance(value, bool) and variable.type != "boolean"
        if wrong_bool or not isinstance(value, _TYPES[variable.type]):
            raise InvalidInput(
                f"Variable {name!r} must be of type {variable.type}, not {type(value).__name__}: {value!r:.60}."
            )
        values[name] = value
    return values


def _stretches(blocks: tuple[Block, ...]) -> list[tuple[bool, list[Block]]]:
    """Neighbouring blocks, grouped by whether they belong to the few-shot part."""
    found: list[tuple[bool, list[Block]]] = []
    for block in blocks:
        if not found or found[-1][0] != block.each_example:
            found.append((block.each_example, []))
        found[-1][1].append(block)
    return found


@functools.cache
def _environment() -> minijinja.Environment:
    """The sandbox: no loader, strict about undefined names, nothing escaped (a prompt is not HTML)."""
    return minijinja.Environment(fuel=FUEL, undefined_behavior="strict", auto_escape_callback=lambda _name: None)


def _fill(template: str, values: dict[str, Any], block: Block) -> str:
    try:
        return _environment().render_str(template, block.role, **values)
    except minijinja.TemplateError as error:
        raise InvalidInput(f"The {block.role} block can't be rendered: {_sentence(error)}") from error


def _names(block: Block) -> set[str]:
    try:
        names = _environment().undeclared_variables_in_str(block.template)
    except minijinja.TemplateError as error:
        raise InvalidInput(f"The {block.role} block is not a valid template: {_sentence(error)}") from error
    return set(names) - set(_environment().globals)


def _sentence(error: minijinja.TemplateError) -> str:
    return str(error).splitlines()[0].rstrip(".") + "."
