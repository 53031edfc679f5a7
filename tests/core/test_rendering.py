import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.adapt.prompts import check, render
from noria.core.errors import InvalidInput
from noria.core.messages import Message
from noria.core.prompts import Block, Prompt, Variable

TEXT = Variable()


def one(template: str, **variables: Variable) -> Prompt:
    return Prompt(blocks=(Block(role="user", template=template),), variables=variables)


def test_values_reach_the_message() -> None:
    assert render(one("Sort: {{ text }}", text=TEXT), {"text": "a <b>"})[0] == Message(
        role="user", content="Sort: a <b>"
    )


@given(st.text())
def test_a_value_is_never_read_as_a_template(value: str) -> None:
    assert render(one("{{ text }}", text=TEXT), {"text": value})[0].content == value


@pytest.mark.parametrize("value", ["{{ 7 * 7 }}", "{% for i in range(9) %}x{% endfor %}", "{# gone #}"])
def test_template_syntax_in_a_value_stays_text(value: str) -> None:
    assert render(one("{{ text }}", text=TEXT), {"text": value})[0].content == value


def test_examples_are_shown_in_order_before_the_question() -> None:
    prompt = Prompt(
        blocks=(
            Block(role="system", template="Sort."),
            Block(role="user", template="{{ text }}", each_example=True),
            Block(role="assistant", template="{{ answer }}", each_example=True),
            Block(role="user", template="{{ text }}"),
        ),
        variables={"text": TEXT},
        examples=({"text": "good", "answer": "yes"}, {"text": "bad", "answer": "no"}),
    )
    check(prompt)
    said = [(m.role, m.content) for m in render(prompt, {"text": "so-so"})]
    assert said == [
        ("system", "Sort."),
        ("user", "good"),
        ("assistant", "yes"),
        ("user", "bad"),
        ("assistant", "no"),
        ("user", "so-so"),
    ]


def test_the_conversation_goes_where_the_prompt_says() -> None:
    prompt = Prompt(blocks=(Block(role="system", template="Be kind."), Block(role="conversation")))
    talk = (Message(role="user", content="hi"), Message(role="assistant", content="hello"))
    assert render(prompt, {}, talk) == (Message(role="system", content="Be kind."), *talk)


def test_a_conversation_without_a_place_is_refused_not_dropped() -> None:
    with pytest.raises(InvalidInput, match=r"no place for the conversation.*1 message"):
        render(one("x"), {}, [Message(role="user", content="hi")])


@pytest.mark.parametrize(
    ("given_values", "sentence"),
    [
        ({}, "needs a value for 'text'"),
        ({"text": "a", "txet": "b"}, "no variable 'txet'; it takes text"),
        ({"text": 3}, "'text' must be of type string, not int: 3"),
    ],
)
def test_wrong_values_are_named(given_values: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        render(one("{{ text }}", text=TEXT), given_values)


def test_true_is_not_an_integer() -> None:
    with pytest.raises(InvalidInput, match="'count' must be of type integer, not bool"):
        render(one("{{ count }}", count=Variable(type="integer")), {"count": True})


def test_an_optional_variable_takes_its_default() -> None:
    prompt = one("{{ tone }}", tone=Variable(required=False, default="calm"))
    assert render(prompt, {})[0].content == "calm"


@pytest.mark.parametrize(
    "template",
    [
        "{{ text.__class__.__mro__ }}",
        "{% include '/etc/passwd' %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
        "{{ text | attr('__class__') | nothing }}",
    ],
)
def test_the_sandbox_holds(template: str) -> None:
    with pytest.raises(InvalidInput, match="block can't be rendered"):
        render(one(template, text=TEXT), {"text": "x"})


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        (one("{{ review }}", text=TEXT), "uses 'review', which is not among the prompt's variables \\(text\\)"),
        (one("{{ text", text=TEXT), "not a valid template"),
        (
            Prompt(blocks=(Block(role="user", template="hi"),), examples=({"a": 1},)),
            "examples and no block that shows them",
        ),
        (
            Prompt(
                blocks=(Block(role="user", template="{{ a }}{{ b }}", each_example=True),),
                examples=({"a": 1, "b": 2}, {"a": 1}),
            ),
            "Example 2 lacks 'b'",
        ),
    ],
)
def test_a_prompt_that_cannot_work_is_refused(prompt: Prompt, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        check(prompt)


def test_globals_of_the_template_language_are_no_variables() -> None:
    check(one("{% for i in range(2) %}{{ i }}{{ text }}{% endfor %}", text=TEXT))
