from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.adapt.prompts import dump_markdown, parse_prompt, read_prompt
from noria.core.errors import InvalidInput
from noria.core.prompts import Block, Prompt, Variable

FILE = """---
name: review
note: first try
variables:
  text: string
  tone: {type: string, required: false, default: calm, description: how to sound}
examples:
  - {text: Broke after a day., answer: negative}
---

# system
You sort reviews. {{ tone }}

## A heading that is text
# example user
{{ text }}
# example assistant
{{ answer }}
# user

{{ text }}
"""


def test_markdown_file(tmp_path: Path) -> None:
    path = tmp_path / "whatever.md"
    path.write_text(FILE)
    found = read_prompt(path)
    assert (found.name, found.note) == ("review", "first try")
    assert found.prompt.variables["tone"] == Variable(required=False, default="calm", description="how to sound")
    assert found.prompt.blocks == (
        Block(role="system", template="You sort reviews. {{ tone }}\n\n## A heading that is text"),
        Block(role="user", template="{{ text }}", each_example=True),
        Block(role="assistant", template="{{ answer }}", each_example=True),
        Block(role="user", template="{{ text }}"),
    )


def test_yaml_file_gives_the_same_prompt_id(tmp_path: Path) -> None:
    path = tmp_path / "hello.yaml"
    path.write_text("variables: {text: string}\nblocks:\n- {role: user, template: 'Sort {{ text }}'}\n")
    found = read_prompt(path)
    assert found.name == "hello"
    assert found.prompt.id == parse_prompt("---\nvariables: {text: string}\n---\n# user\nSort {{ text }}\n").prompt.id


def test_windows_line_ends_are_the_same_prompt() -> None:
    assert parse_prompt(FILE.replace("\n", "\r\n")).prompt.id == parse_prompt(FILE).prompt.id


def test_a_body_without_a_head() -> None:
    assert parse_prompt("# user\nhi").prompt == Prompt(blocks=(Block(role="user", template="hi"),))


@given(
    st.lists(st.text("abc #\n", max_size=30).map(str.strip), min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["name", "text", "n"]), st.sampled_from(["string", "list"])),
)
def test_dump_and_parse_are_inverse(texts: list[str], variables: dict[str, str]) -> None:
    prompt = Prompt(
        blocks=tuple(Block(role="user", template=text) for text in texts),
        variables={name: Variable(type=kind) for name, kind in variables.items()},  # type: ignore[arg-type]
    )
    assert parse_prompt(dump_markdown("p", prompt)).prompt.id == prompt.id


@given(st.text(max_size=300))
def test_any_text_is_a_prompt_or_a_clear_refusal(text: str) -> None:
    for markdown in (True, False):
        try:
            parse_prompt(text, markdown=markdown)
        except InvalidInput as error:
            assert str(error).startswith("the prompt")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hello", "belongs to no message"),
        ("---\nname: x\n---\n", "has no message"),
        ("---\nname: [\n---\n# user\nx", r"not valid YAML at line \d, column \d"),
        ("---\nnme: x\n---\n# user\nx", "unknown field `nme`"),
        ("---\n- a\n---\n# user\nx", "expected fields such as `name:`, found list"),
        ("---\nblocks: []\n---\n# user\nx", "blocks are the body"),
        ("---\nvariables: {a: text}\n---\n# user\n{{ a }}", "Invalid enum value 'text'"),
        ("---\nname: &a x\nnote: *a\n---\n# user\nx", "aliases .* are not supported"),
        ("# user\n{{ ghost }}", "uses 'ghost'"),
    ],
)
def test_mistakes_are_named(text: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        parse_prompt(text)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"Can't read the prompt file .*nope\.md: No such file"):
        read_prompt(tmp_path / "nope.md")
    (tmp_path / "latin.md").write_bytes(b"# user\ncaf\xe9")
    with pytest.raises(InvalidInput, match="not UTF-8 text .byte 10"):
        read_prompt(tmp_path / "latin.md")
    (tmp_path / "big.md").write_bytes(b"# user\n" + b"x" * 1_000_001)
    with pytest.raises(InvalidInput, match="at most 1,000,000"):
        read_prompt(tmp_path / "big.md")
