"""Bodies are read in one step where nothing in them is unknown, and mean what they mean in two."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import InvalidInput
from noria.wires.anthropic.shapes import RequestShape as Messages
from noria.wires.bodies import Body, read_object, read_shape
from noria.wires.openai_chat.shapes import RequestShape as Chat

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["role", "content", "x"]), inner),
    max_leaves=4,
)
TALK = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": st.text(max_size=3)})


def outcome(read: Any, body: bytes) -> Any:
    try:
        shape, unread = read(body)
    except InvalidInput as error:
        return error.message
    return msgspec.to_builtins(shape), unread


@pytest.mark.parametrize("shape", [Chat, Messages])
@given(st.data())
def test_a_body_means_the_same_in_one_step_and_in_two(shape: type[msgspec.Struct], draw: st.DataObject) -> None:
    def in_two(body: bytes) -> tuple[Any, dict[str, Any]]:
        fields = read_object(body)
        known = read_shape(fields, shape)
        return known, {name: value for name, value in fields.items() if name not in shape.__struct_fields__}

    more = draw.draw(st.dictionaries(st.sampled_from([*shape.__struct_fields__, "store"]), VALUES, max_size=3))
    fields = {"model": "m", "messages": draw.draw(st.lists(TALK, max_size=2))} | more
    text = json.dumps(fields)
    again = draw.draw(st.sampled_from(["", "model", "messages", "n", "max_tokens"]))  # a name that comes twice
    if again:
        text = f"{text[:-1]}, {json.dumps(again)}: {json.dumps(draw.draw(VALUES))}}}"
    body = text.encode()
    assert repr(outcome(Body(shape).read, body)) == repr(outcome(in_two, body))


@pytest.mark.parametrize("opening", ['{"a":', "["])
def test_no_value_is_nested_deeper_than_it_can_be_walked(opening: str) -> None:
    closing = "}" if opening.startswith("{") else "]"

    def body(levels: int) -> bytes:
        value = f"{opening * (levels - 3)}{{}}{closing * (levels - 3)}"
        return f'{{"model": "m", "messages": [], "metadata": {{"a": {value}}}}}'.encode()

    assert Body(Chat).read(body(100))[0].metadata
    with pytest.raises(InvalidInput, match="nested more than 100 levels"):
        Body(Chat).read(body(101))
