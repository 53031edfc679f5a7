"""Whether the answer is JSON that satisfies a schema. How it is checked: :mod:`noria.scorers.schemas`."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from noria.core.scores import Scorer, Subject
from noria.scorers.answers import NotJson, parsed
from noria.scorers.kind import CodeScorer, Finding, Kind, Options, Setup
from noria.scorers.schemas import Schema


class JsonSchemaOptions(Options):
    """The schema."""

    schema: Annotated[dict[str, Any], Meta(description="JSON Schema, Draft 2020-12, that the answer must satisfy.")]
    fenced: Annotated[bool, Meta(description="Accept an answer that is one Markdown code block of JSON.")] = False


def make(setup: Setup[JsonSchemaOptions]) -> Scorer:
    """Check the schema once. Raises ``InvalidInput`` when it is no schema, or refers to another document."""
    schema = Schema(setup.options.schema, f"The schema of scorer {setup.name!r}")
    return CodeScorer(
        setup.name,
        setup.version,
        frozenset({"output"}),
        "higher",
        lambda subject: _judge(subject, setup.options, schema),
    )


def _judge(subject: Subject, options: JsonSchemaOptions, schema: Schema) -> Finding:
    try:
        value = parsed(subject.output, fenced=options.fenced)
    except NotJson as error:
        return Finding(value=False, reason=str(error))
    problem = schema.problem(value)
    if problem is None:
        return Finding(value=True, reason="The answer satisfies the schema.")
    return Finding(
        value=False,
        reason=f"At {problem.path}: {problem.message}.",
        metadata={"path": problem.path, "keyword": problem.keyword},
    )


KIND = Kind(
    description="Whether the answer is JSON that satisfies a JSON Schema.",
    options=JsonSchemaOptions,
    make=make,
    needs=frozenset({"output"}),
    value="boolean",
    better="higher",
    source="JSON Schema Draft 2020-12, https://json-schema.org/draft/2020-12",
)
