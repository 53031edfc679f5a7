"""``noria.prompt``: a prompt version of Noria, filled in here, and linked to the step that uses it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from opentelemetry import trace

from noria.core.errors import Unavailable
from noria.core.messages import Message
from noria.core.prompts import Block, Prompt, PromptVersion, Variable, VariableType
from noria.core.rendering import render
from noria.sdk.client import current
from noria.sdk.step import Step
from noria.sdk.surroundings import within

_TYPES: Mapping[type, VariableType] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "list",
    tuple: "list",
    dict: "object",
}


class FilledPrompt:
    """A prompt with its values in place.

    It is linked to the step that was current when it was made. ``with`` links what begins in a block too: calls that an
    instrumentation records, which have spans of their own.
    """

    def __init__(self, version: PromptVersion, messages: Sequence[dict[str, Any]]) -> None:
        self.name = version.name
        """The prompt's name."""
        self.version = version.version
        """Its number; 0 for a fallback."""
        self.prompt_id = version.prompt_id
        """Content id of the template, as on every span that used it."""
        self.messages = list(messages)
        """The messages as OpenAI's clients take them."""
        self._around: contextlib.ExitStack | None = None

    @property
    def text(self) -> str:
        """The texts of all messages, with an empty line between them."""
        return "\n\n".join(str(message.get("content", "")) for message in self.messages)

    def __enter__(self) -> Self:
        self._around = contextlib.ExitStack()
        self._around.enter_context(within({"noria.prompt_id": self.prompt_id}))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        around, self._around = self._around, None
        if around is not None:
            around.close()


def prompt(
    name: str,
    /,
    *,
    label: str | None = None,
    version: int | str | None = None,
    fallback: str | None = None,
    values: Mapping[str, Any] | None = None,
    conversation: Sequence[Mapping[str, Any]] = (),
    **variables: Any,
) -> FilledPrompt:
    """Fetch a prompt version and fill it in, as the server does when it answers for an app.

    Arguments:
        name: the prompt.
        label: the version that this label points at, such as ``production``.
        version: the version with this number or id. With neither, the latest.
        fallback: template of a user message, used where Noria does not answer and nothing is kept from before.
        values: the template's variables, where one is called as an argument here is.
        conversation: messages for the prompt's ``conversation`` block, each with ``role`` and ``content``.
        variables: the template's variables.

    Raises:
        UnknownName: there is no such prompt or version.
        InvalidInput: a variable is missing, unknown or of the wrong type.
        NotAllowed: the key is wrong.
        Unavailable: Noria does not answer, and there is neither an earlier version nor a fallback.
    """
    given = {**(values or {}), **variables}
    found = _version(name, label if label is not None else None if version is None else str(version), fallback, given)
    # The caller's own messages come back as they are, whatever their clients put into them.
    stand_ins = tuple(Message(role="user") for _ in conversation)
    own = {id(stand_in): dict(one) for stand_in, one in zip(stand_ins, conversation, strict=True)}
    filled = render(found.prompt, given, stand_ins)
    span = trace.get_current_span()
    if span.is_recording() and found.version:
        step = Step(span, "step", current().recording())
        step.set(prompt_id=found.prompt_id, variables=given or None)
    return FilledPrompt(found, [own.get(id(one)) or {"role": one.role, "content": one.text} for one in filled])


def _version(name: str, ref: str | None, fallback: str | None, given: Mapping[str, Any]) -> PromptVersion:
    prompts = current().prompts
    if prompts is not None:
        try:
            return prompts.get(name, ref)
        except Unavailable:
            if fallback is None:
                raise
    elif fallback is None:
        raise Unavailable(
            f"The prompt {name!r} can't be fetched: no server is named.", hint="Set NORIA_URL, or give a fallback."
        )
    types = {one: Variable(type=_TYPES.get(type(value), "string")) for one, value in given.items()}
    template = Prompt(blocks=(Block(role="user", template=fallback),), variables=types)
    return PromptVersion(name=name, version=0, prompt_id=template.id, prompt=template)
