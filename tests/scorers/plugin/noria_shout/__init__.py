"""A scorer from outside of Noria: does the answer shout?"""

from typing import Annotated

from msgspec import Meta

from noria.core.scores import Subject
from noria.scorers.kind import Finding, Options, coded


class ShoutOptions(Options):
    """How loud is loud."""

    share: Annotated[float, Meta(ge=0, le=1, description="Part of the letters that may be capitals.")] = 0.5


def judge(subject: Subject, options: ShoutOptions) -> Finding | None:
    """True when more letters are capitals than may be; abstains where there are no letters."""
    letters = [letter for letter in subject.output if letter.isalpha()]
    if not letters:
        return None
    share = sum(letter.isupper() for letter in letters) / len(letters)
    return Finding(share > options.share, f"{share:.0%} of the letters are capitals.")


KIND = coded("Whether the answer shouts.", ShoutOptions, judge, needs={"output"}, value="boolean", better="lower")
