"""Whether the answer contains given texts, or the reference."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from noria.core.errors import InvalidInput
from noria.core.scores import Need, Subject
from noria.scorers.kind import Finding, Options, coded
from noria.scorers.texts import alternatives, shown

Wanted = Annotated[str, Meta(min_length=1)]


class ContainsOptions(Options):
    """Which texts to look for, and how."""

    texts: Annotated[tuple[Wanted, ...], Meta(description="What to look for; the reference when none is given.")] = ()
    mode: Annotated[
        Literal["any", "all", "none"], Meta(description="How many of the texts must occur: any, all or none.")
    ] = "any"
    ignore_case: Annotated[bool, Meta(description="Compare case-folded.")] = False


def judge(subject: Subject, options: ContainsOptions) -> Finding:
    """True when as many texts occur as ``mode`` asks for.

    Raises:
        InvalidInput: the reference is empty: every answer contains it.
    """
    wanted = options.texts or alternatives(subject.reference)
    if not all(wanted):
        raise InvalidInput("The reference is an empty text, which every answer contains.", hint="Correct the case.")
    answer = subject.output.casefold() if options.ignore_case else subject.output
    found = [text for text in wanted if (text.casefold() if options.ignore_case else text) in answer]
    value = {"any": bool(found), "all": len(found) == len(wanted), "none": not found}[options.mode]
    return Finding(value=value, reason=_reason(found, wanted), metadata={"found": found})


def _reason(found: list[str], wanted: tuple[str, ...]) -> str:
    missing = [text for text in wanted if text not in found]
    there = f"contains {', '.join(map(shown, found))}" if found else ""
    absent = f"lacks {', '.join(map(shown, missing))}" if missing else ""
    return f"The answer {' and '.join(part for part in (there, absent) if part)}."


def _reads(options: ContainsOptions) -> set[Need]:
    return {"output"} if options.texts else {"output", "reference"}


KIND = coded(
    "Whether the answer contains any, all or none of the given texts; without texts, of the reference.",
    ContainsOptions,
    judge,
    needs={"output", "reference"},
    reads=_reads,
    value="boolean",
)
