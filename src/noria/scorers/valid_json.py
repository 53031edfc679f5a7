"""Whether the answer is JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from noria.core.scores import Subject
from noria.scorers.answers import NotJson, parsed
from noria.scorers.kind import Finding, Options, coded

Form = Literal["any", "object", "array"]
_TYPES: dict[str, type[Any]] = {"any": object, "object": dict, "array": list}


class ValidJsonOptions(Options):
    """Which JSON is asked for."""

    fenced: Annotated[bool, Meta(description="Accept an answer that is one Markdown code block of JSON.")] = False
    form: Annotated[Form, Meta(description="What the JSON must be.")] = "any"


def judge(subject: Subject, options: ValidJsonOptions) -> Finding:
    """True when the whole answer is JSON of the form asked for."""
    try:
        value = parsed(subject.output, fenced=options.fenced)
    except NotJson as error:
        return Finding(value=False, reason=str(error))
    if not isinstance(value, _TYPES[options.form]):
        return Finding(value=False, reason=f"The answer is JSON, but no {options.form}.")
    return Finding(value=True, reason="The answer is JSON.")


KIND = coded(
    "Whether the whole answer is JSON.",
    ValidJsonOptions,
    judge,
    needs={"output"},
    value="boolean",
    source="RFC 8259, https://www.rfc-editor.org/rfc/rfc8259",
)
