"""A prompt around a target: the caller's variables and messages become the messages that the model sees."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import msgspec

from noria.core.answering import Answering, Tell, answering, from_events
from noria.core.errors import InvalidInput
from noria.core.events import Event, Sent
from noria.core.messages import Message, TextPart
from noria.core.prompts import Prompt
from noria.core.protocols import Target
from noria.core.requests import Request, replace_lineage

Render = Callable[[Prompt, Mapping[str, Any], Sequence[Message]], tuple[Message, ...]]
"""Renders a prompt with its variables; the conversation goes where the prompt has its ``conversation`` block.
Raises ``InvalidInput`` for values that don't fit."""


class Prompted:
    """A target that renders a prompt version before it calls on.

    The request's ``variables`` win. When exactly one required variable is missing and the last message is the user's,
    its text becomes that variable: so a chat client that knows nothing of Noria can call an app with one input.
    The other messages go where the prompt has its ``conversation`` block; without one they would be lost, so a
    request that has any is refused.
    """

    def __init__(self, inner: Target, prompt: Prompt, prompt_id: str, render: Render) -> None:
        self._inner = inner
        self._answer = answering(inner)
        self._prompt = prompt
        self._prompt_id = prompt_id
        self._render = render

    def call(self, request: Request) -> AsyncIterator[Event]:
        """Render, then call on. Raises ``InvalidInput``, after ``Sent``, so that the record says whose prompt it was."""
        request = replace_lineage(request, prompt_id=self._prompt_id)
        try:
            rendered = self._rendered(request)
        except InvalidInput as error:
            return _unplaced(request, error)
        return self._inner.call(rendered)

    def answer(self, request: Request, tell: Tell) -> Answering:
        """The same, told."""
        request = replace_lineage(request, prompt_id=self._prompt_id)
        try:
            rendered = self._rendered(request)
        except InvalidInput as error:
            return from_events(_unplaced(request, error), request, tell)
        return self._answer(rendered, tell)

    def _rendered(self, request: Request) -> Request:
        variables, conversation = place(self._prompt, request.variables, request.messages)
        messages = self._render(self._prompt, variables, conversation)
        return msgspec.structs.replace(request, messages=messages, variables=variables)


async def _unplaced(request: Request, error: InvalidInput) -> AsyncGenerator[Event]:
    yield Sent(request=request, provider="")
    raise error


def place(
    prompt: Prompt, given: Mapping[str, Any], messages: tuple[Message, ...]
) -> tuple[dict[str, Any], tuple[Message, ...]]:
    """Where everything goes: the variables' values (defaults of optional ones included), and the conversation.

    Raises:
        InvalidInput: a required variable has no value, or a message no place.
    """
    defaults = {name: variable.default for name, variable in prompt.variables.items() if variable.default is not None}
    variables = defaults | dict(given)
    missing = [name for name, variable in prompt.variables.items() if variable.required and name not in variables]
    if len(missing) == 1 and messages and messages[-1].role == "user":
        variables[missing[0]] = _only_text(messages[-1], missing[0])
        messages = messages[:-1]
    elif missing:
        names = ", ".join(f"`{name}`" for name in missing)
        raise InvalidInput(
            f"The prompt needs {names}, and the request gives no value.",
            hint="Send them in the request's `variables`.",
        )
    if messages and not any(block.role == "conversation" for block in prompt.blocks):
        count = f"{len(messages)} message{'s' if len(messages) > 1 else ''}"
        raise InvalidInput(
            f"The request has {count} for which the prompt has no place, beside the variables.",
            hint="Send only what the prompt needs, or give the prompt a `conversation` block.",
        )
    return variables, messages


def _only_text(message: Message, variable: str) -> str:
    if isinstance(message.content, str) or all(isinstance(part, TextPart) for part in message.content):
        return message.text
    raise InvalidInput(
        f"The last message fills the prompt's variable `{variable}`, which takes text alone, but it has other parts."
    )
