from noria.adapt.prompts import diff
from noria.core.prompts import Block, Prompt, PromptVersion


def version(number: int, text: str) -> PromptVersion:
    prompt = Prompt(blocks=(Block(role="user", template=text),))
    return PromptVersion(name="hello", version=number, prompt_id=prompt.id, prompt=prompt)


def test_a_changed_line_is_shown_both_ways() -> None:
    lines = diff(version(1, "Sort this."), version(2, "Sort this well.")).splitlines()
    assert lines[:2] == ["--- hello@1", "+++ hello@2"]
    assert "-Sort this." in lines
    assert "+Sort this well." in lines


def test_same_template_no_diff() -> None:
    assert diff(version(1, "x"), version(2, "x")) == ""
