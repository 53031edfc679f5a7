"""From messages to the one text that the model continues.

``/generate`` takes a text and applies no chat template. Without one, only what is one text already can be sent: a single
message of the user, exactly as it is. With one, the conversation is rendered by it, in the sandbox of prompts; then the
template decides what the model sees, and Noria can't know whether it is the one that the model was trained with.
"""

from __future__ import annotations

import functools
from typing import Any

import minijinja

from noria.core.errors import InvalidInput
from noria.core.messages import Message, TextPart
from noria.core.requests import Request
from noria.wires.carrying import CITATIONS, Carrying

_FUEL = 1_000_000
"""Most template instructions for one conversation."""


class _Refused(Exception):
    """A template does not know how to write a conversation; it says why."""


def prompt_of(request: Request, template: str, carrying: Carrying) -> str:
    """The text to send.

    Arguments:
        request: whose messages.
        template: a chat template as models carry them, in Jinja; empty for none. It sees ``messages``,
            ``add_generation_prompt`` (true), and ``bos_token`` and ``eos_token`` (empty: the server adds its own).
        carrying: notes what is left out.

    Raises:
        InvalidInput: it is a conversation and there is no template, the template fails, or a part is no text.
    """
    spoken = [_spoken(message, carrying) for message in request.messages]
    if template:
        return _rendered(template, spoken)
    if len(spoken) == 1 and spoken[0]["role"] == "user":
        return str(spoken[0]["content"])
    raise InvalidInput(
        "TGI's `/generate` takes one text and no conversation; without a `chat_template` only a single user message can "
        "be sent.",
        kept="Nothing was sent.",
        hint="Give the provider a chat_template, or call TGI's Messages API: kind openai, and /v1 in the base URL.",
    )


def check_template(template: str) -> None:
    """Refuse a template that is none. Raises ``InvalidInput``."""
    try:
        _environment().undeclared_variables_in_str(template)
    except minijinja.TemplateError as error:
        raise InvalidInput(f"The chat_template is no template: {_sentence(error)}") from error


def _spoken(message: Message, carrying: Carrying) -> dict[str, Any]:
    if message.role == "tool" or message.tool_calls:
        carrying.cannot("tools", "its text endpoint knows no tools")
    if message.name is not None:
        carrying.cannot("name", "its text endpoint knows no names of speakers")
    if message.reasoning or message.thoughts:
        carrying.forgets("its text endpoint knows no thinking")
    for part in () if isinstance(message.content, str) else message.content:
        if not isinstance(part, TextPart):
            carrying.cannot(str(part.__struct_config__.tag), "its text endpoint takes text alone")
        elif part.citations:
            carrying.forgets("its text endpoint knows no citations", CITATIONS)
        elif part.cache:
            carrying.cannot("cache", "it caches by itself")
    role = "system" if message.role == "developer" else message.role
    return {"role": role, "content": message.text + message.refusal}


def _rendered(template: str, messages: list[dict[str, Any]]) -> str:
    values = {"messages": messages, "add_generation_prompt": True, "bos_token": "", "eos_token": ""}
    try:
        return _environment().render_str(template, "chat_template", **values)
    except _Refused as error:
        raise InvalidInput(f"The chat_template can't render this conversation: {str(error)[:200]}") from None
    except minijinja.TemplateError as error:
        raise InvalidInput(f"The chat_template can't render this conversation: {_sentence(error)}") from error


@functools.cache
def _environment() -> minijinja.Environment:
    """The sandbox: no loader, nothing escaped, and the one function that models' templates call."""
    environment = minijinja.Environment(fuel=_FUEL, auto_escape_callback=lambda _name: None)
    environment.add_global("raise_exception", _raise)
    return environment


def _raise(message: str) -> None:
    """What a template says about a conversation that it does not know how to write."""
    raise _Refused(message)


def _sentence(error: minijinja.TemplateError) -> str:
    return str(error).splitlines()[0].rstrip(".") + "."
