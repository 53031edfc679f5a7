"""A prompt around a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import InvalidInput
from noria.core.events import Sent
from noria.core.messages import ImagePart, Message, TextPart
from noria.core.prompts import Block, Prompt, Variable
from noria.core.requests import Lineage, Request
from noria.targets.prompted import Prompted, place
from noria.targets.scripted import Scripted, answer

from .contract import events_until_error, sent_through

USER = Message(role="user", content="Is it?")


def render(prompt: Prompt, variables: Mapping[str, Any], conversation: Sequence[Message]) -> tuple[Message, ...]:
    messages: list[Message] = []
    for block in prompt.blocks:
        if block.role == "conversation":
            messages += conversation
        else:
            messages.append(Message(role=block.role, content=block.template.format(**variables)))
    return tuple(messages)


def prompt(*, conversation: bool = False, **variables: Variable) -> Prompt:
    blocks = [Block(role="system", template=" ".join(f"{{{name}}}" for name in variables))]
    return Prompt(blocks=(*blocks, *([Block(role="conversation")] if conversation else [])), variables=variables)


def prompted(of: Prompt) -> Prompted:
    return Prompted(Scripted(lambda _: answer("yes")), of, "prompt_1", render)


async def test_the_last_message_fills_the_one_missing_variable() -> None:
    of = prompt(question=Variable(), tone=Variable(required=False, default="brief"))
    request = await sent_through(prompted(of), Request(model="m", messages=(USER,)))
    assert request.variables == {"question": "Is it?", "tone": "brief"}
    assert request.messages == (Message(role="system", content="Is it? brief"),)
    assert request.lineage.prompt_id == "prompt_1"


async def test_given_variables_win_and_messages_go_to_the_conversation() -> None:
    of = prompt(conversation=True, question=Variable(), tone=Variable(required=False, default="brief"))
    given_ = Request(model="m", messages=(USER,), variables={"question": "Why?", "tone": "long"})
    request = await sent_through(prompted(of), given_)
    assert request.variables == {"question": "Why?", "tone": "long"}
    assert request.messages == (Message(role="system", content="Why? long"), USER)


def test_earlier_messages_stay_in_the_conversation() -> None:
    earlier = (Message(role="user", content="Hi"), Message(role="assistant", content="Hello"))
    assert place(prompt(conversation=True, q=Variable()), {}, (*earlier, USER)) == ({"q": "Is it?"}, earlier)


def test_parts_of_text_fill_a_variable_and_others_do_not() -> None:
    texts = (TextPart(text="Is "), TextPart(text="it?"))
    assert place(prompt(q=Variable()), {}, (Message(role="user", content=texts),)) == ({"q": "Is it?"}, ())
    with pytest.raises(InvalidInput, match="`q`, which takes text alone"):
        place(prompt(q=Variable()), {}, (Message(role="user", content=(*texts, ImagePart(url="u"))),))


@pytest.mark.parametrize(
    ("of", "given_", "messages", "sentence"),
    [
        (prompt(a=Variable(), b=Variable()), {}, (USER,), "needs `a`, `b`"),
        (prompt(a=Variable()), {}, (), "needs `a`"),
        (prompt(a=Variable()), {}, (Message(role="assistant", content="x"),), "needs `a`"),
        (prompt(a=Variable()), {"a": 1}, (USER,), "has 1 message for which"),
        (prompt(a=Variable()), {}, (USER, USER, USER), "has 2 messages for which"),
    ],
)
async def test_nothing_is_dropped_silently(
    of: Prompt, given_: dict[str, Any], messages: tuple[Message, ...], sentence: str
) -> None:
    request = Request(model="m", messages=messages, variables=given_, lineage=Lineage(app="boolq"))
    seen, error = await events_until_error(prompted(of).call(request))
    assert isinstance(error, InvalidInput)
    assert sentence in str(error)
    assert [event.request.lineage for event in seen if isinstance(event, Sent)] == [
        Lineage(app="boolq", prompt_id="prompt_1")
    ]


@given(
    st.sets(st.sampled_from("abc")),
    st.sets(st.sampled_from("abc")),
    st.lists(st.sampled_from(["user", "assistant"]), max_size=3),
    st.booleans(),
)
def test_every_message_and_variable_has_a_place_or_is_refused(
    needed: set[str], has: set[str], roles: list[Any], conversation: bool
) -> None:
    of = prompt(conversation=conversation, **{name: Variable() for name in sorted(needed)})
    messages = tuple(Message(role=role, content=str(i)) for i, role in enumerate(roles))
    try:
        variables, rest = place(of, dict.fromkeys(has, "given"), messages)
    except InvalidInput:
        return
    assert set(variables) == needed | has
    assert all(variables[name] == "given" for name in has)
    filled = [variables[name] for name in needed - has]
    assert [message.text for message in rest] + filled == [message.text for message in messages]
    assert conversation or not rest
