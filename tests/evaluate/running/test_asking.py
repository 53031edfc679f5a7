from __future__ import annotations

from typing import Any

import pytest

from noria.core.apps import Variant
from noria.core.datasets import Case
from noria.core.errors import InvalidInput
from noria.core.messages import Message
from noria.core.requests import Lineage, Parameters
from noria.evaluate.running.asking import ask, check_asks

PLAIN = Variant(model="a/b", params=Parameters(temperature=0))
PROMPTED = Variant(model="a/b", prompt_id="prompt_1")
TALK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]


def test_a_prompt_gets_the_input_as_variables() -> None:
    request = ask(Case(id="1", input={"x": 1, "y": "b"}), PROMPTED, Lineage(case_id="1"))
    assert (request.model, request.messages, request.variables) == ("a/b", (), {"x": 1, "y": "b"})
    assert request.lineage.case_id == "1"


def test_without_a_prompt_a_single_text_is_what_the_user_says() -> None:
    request = ask(Case(id="1", input={"q": "Why?"}), PLAIN, Lineage())
    assert request.messages == (Message(role="user", content="Why?"),)
    assert request.params.temperature == 0


@pytest.mark.parametrize("variant", [PLAIN, PROMPTED])
def test_messages_are_the_conversation(variant: Variant) -> None:
    request = ask(Case(id="1", input={"messages": TALK, "tone": "dry"}), variant, Lineage())
    assert [(message.role, message.text) for message in request.messages] == [("system", "Be brief."), ("user", "Hi")]


@pytest.mark.parametrize("given", [{}, {"a": "x", "b": "y"}, {"a": 3}])
def test_an_input_that_nobody_can_ask_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"Case c7 has the input .* no prompt says how to ask it"):
        ask(Case(id="c7", input=given), PLAIN, Lineage())
    with pytest.raises(InvalidInput, match=r"Case c7"):
        check_asks([Case(id="c6", input={"q": "Why?"}), Case(id="c7", input=given)], [PROMPTED, PLAIN])
    check_asks([Case(id="c7", input=given)], [PROMPTED])


def test_messages_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"The messages of case c7 are no conversation"):
        ask(Case(id="c7", input={"messages": [{"role": "clown", "content": "x"}]}), PROMPTED, Lineage())
