"""Whether the answer matches a pattern, or what the pattern takes from it is the reference.

Python's ``re`` can take exponential time on a hostile answer and cannot be interrupted, so a pattern runs in the
``regex`` package, which understands the same patterns and stops at a deadline. An answer that cannot be judged in time
is a failure of the scorer, not a bad score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from noria.core.errors import InvalidInput, NoriaError
from noria.core.scores import Need, Scorer, Subject
from noria.scorers.kind import CodeScorer, Finding, Kind, Options, Setup
from noria.scorers.texts import alternatives, shown

if TYPE_CHECKING:
    import regex

MAX_CHARS = 1_000_000
"""Longest answer that is searched, characters."""


class RegexOptions(Options):
    """The pattern, and what to do with what it takes out."""

    pattern: Annotated[str, Meta(min_length=1, max_length=10_000, description="Regular expression, Python's syntax.")]
    group: Annotated[
        int | str | None,
        Meta(description="Number or name of a group: what it takes from the answer is compared with the reference."),
    ] = None
    full: Annotated[bool, Meta(description="The whole answer must match, not a part of it.")] = False
    ignore_case: Annotated[bool, Meta(description="Match without regard to case, and compare so.")] = False
    timeout_s: Annotated[float, Meta(gt=0, le=2, description="Longest search of one answer, seconds.")] = 0.25


def bounded_search(
    pattern: regex.Pattern[str], text: str, *, timeout_s: float, full: bool = False
) -> regex.Match[str] | None:
    """Search ``text`` for at most ``timeout_s`` seconds.

    Raises:
        NoriaError: the text is too long, or the search took too long.
    """
    if len(text) > MAX_CHARS:
        raise NoriaError(f"The answer has {len(text):,} characters; patterns are tried on at most {MAX_CHARS:,}.")
    try:
        return (pattern.fullmatch if full else pattern.search)(text, timeout=timeout_s)
    except TimeoutError:
        raise NoriaError(
            f"The pattern {shown(pattern.pattern)} was not done with an answer of {len(text):,} characters after "
            f"{timeout_s:g} s.",
            hint="Write it without nested repetitions such as (a+)+.",
        ) from None


def make(setup: Setup[RegexOptions]) -> Scorer:
    """Compile once. Raises ``InvalidInput`` when the pattern is none, or has no such group."""
    import regex  # noqa: PLC0415 - only those who match patterns pay for it

    options = setup.options
    try:
        pattern = regex.compile(options.pattern, regex.IGNORECASE if options.ignore_case else 0)
    except regex.error as error:
        raise InvalidInput(
            f"The pattern {shown(options.pattern)} of scorer {setup.name!r} is wrong: {error}."
        ) from None
    groups: set[int | str] = {*range(pattern.groups + 1), *pattern.groupindex}
    if options.group is not None and options.group not in groups:
        raise InvalidInput(
            f"The pattern {shown(options.pattern)} of scorer {setup.name!r} has no group {options.group!r}.",
            hint=f"Its groups are {', '.join(map(repr, sorted(groups, key=str)))}.",
        )
    needs: frozenset[Need] = frozenset({"output"} if options.group is None else {"output", "reference"})
    return CodeScorer(setup.name, setup.version, needs, "higher", lambda subject: _judge(subject, options, pattern))


def _judge(subject: Subject, options: RegexOptions, pattern: regex.Pattern[str]) -> Finding:
    match = bounded_search(pattern, subject.output, timeout_s=options.timeout_s, full=options.full)
    if match is None:
        return Finding(value=False, reason=f"The answer does not match {shown(options.pattern)}.")
    if options.group is None:
        return Finding(value=True, reason=f"The answer matches at {match.start()}: {shown(match[0])}.")
    taken = match[options.group] or ""
    expected = alternatives(subject.reference)
    same = any(_plain(taken, options) == _plain(text, options) for text in expected)
    reason = f"The answer says {shown(taken)}; {' or '.join(map(shown, expected[:3]))} is expected."
    return Finding(value=same, reason=reason, metadata={"extracted": taken})


def _plain(text: str, options: RegexOptions) -> str:
    return text.strip().casefold() if options.ignore_case else text.strip()


KIND = Kind(
    description="Whether the answer matches a pattern, or what a group of the pattern takes from it is the reference.",
    options=RegexOptions,
    make=make,
    needs=frozenset({"output", "reference"}),
    value="boolean",
    better="higher",
    source="https://docs.python.org/3/library/re.html#regular-expression-syntax",
)
