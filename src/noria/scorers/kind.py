"""What a scorer's module offers to the registry: a :class:`Kind`, from which scorers are made.

A plug-in does what the built-ins do: it defines a :class:`Kind` and names it in its ``noria.scorers`` entry points,
such as ``shout = "my_package:KIND"``. Most kinds are one function over a subject and its options; :func:`coded` makes a
kind of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

from noria.core.replies import Reply
from noria.core.requests import Request
from noria.core.scores import Need, RunMetric, Score, Scorer, Subject, Value
from noria.core.spans import Span
from noria.core.struct import Noun

Better = Literal["higher", "lower"] | None


class Options(Noun, forbid_unknown_fields=True):
    """Base of every kind's options.

    What an option means stands in its ``Meta(description=...)``, so that the published JSON schema says it too. None
    may be called ``kind`` or ``name``, beside which options stand in an experiment file.
    """


O = TypeVar("O", bound=Options)  # noqa: E741 - the one type that the generics of this file vary


class Ask(Protocol):
    """How a scorer calls a model, without knowing what a target is: the recorded span and the whole reply."""

    async def __call__(self, request: Request) -> tuple[Span, Reply]:
        """Call and record. Raises what the call raises."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What a judging function found, before it is signed with the scorer's name and version."""

    value: Value
    """Boolean, number, or category."""
    reason: str = ""
    """Why, in words a person can check."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """Details; JSON-like."""


@dataclass(frozen=True, slots=True)
class Setup(Generic[O]):
    """What a scorer is made from."""

    name: str
    """Name under which its scores are kept."""
    version: str
    """The kind's version and a content id of the options."""
    options: O
    """Validated options."""
    ask: Ask | None = None
    """How to call a model, where the caller allows it."""


@dataclass(frozen=True)
class Kind(Generic[O]):
    """A way to judge, from which scorers with different options are made."""

    description: str
    """What it judges, one line."""
    options: type[O]
    """Its options, with their defaults."""
    make: Callable[[Setup[O]], Scorer]
    """Makes a scorer. May raise ``InvalidInput`` for options that do not fit together."""
    needs: frozenset[Need]
    """What its scorers read; options may narrow this, so ask the scorer itself before attaching it."""
    value: str
    """Type and range of its values, in words: ``boolean``, ``number, 0 to 1``, ``category`` ..."""
    better: Better = None
    """Which direction is an improvement, with default options."""
    source: str = ""
    """Paper, standard or program that defines it."""
    version: str = "1"
    """Version of its code: raised whenever the same options may judge otherwise."""
    asks: bool = False
    """Whether it calls a model."""


Judging = Callable[[Subject, O], Finding | None]
"""A deterministic judgement; None abstains."""


@dataclass(frozen=True)
class CodeScorer:
    """A scorer that is one deterministic function: obeys :class:`noria.core.scores.Scorer`."""

    name: str
    version: str
    needs: frozenset[Need]
    better: Better
    judge: Callable[[Subject], Finding | None]
    run_metrics: Sequence[RunMetric] = ()

    async def score(self, subject: Subject) -> Score | None:
        """Judge and sign. A subject without what ``needs`` names is abstained from, not judged badly."""
        if lacks(subject, self.needs):
            return None
        found = self.judge(subject)
        return None if found is None else signed(found, self.name, self.version)

    def aggregates(self) -> Sequence[RunMetric]:
        """Metrics over a whole run that are no mean of the scores."""
        return self.run_metrics


def lacks(subject: Subject, needs: frozenset[Need]) -> bool:
    """Whether the subject has no reference, context or span where one is needed. An empty output is an answer too."""
    missing = {"reference": subject.reference is None, "context": not subject.context, "span": subject.span is None}
    return any(missing.get(need, False) for need in needs)


def signed(found: Finding, name: str, version: str) -> Score:
    """The finding as a score of code; where and when it was judged is added by whoever records it."""
    return Score(scorer=name, version=version, value=found.value, reason=found.reason, metadata=found.metadata)


def coded(
    description: str,
    options: type[O],
    judge: Judging[O],
    *,
    needs: set[Need],
    value: str,
    better: Better = "higher",
    source: str = "",
    version: str = "1",
    reads: Callable[[O], set[Need]] | None = None,
) -> Kind[O]:
    """A kind whose scorers are one deterministic function over subject and options.

    Arguments:
        reads: narrows ``needs`` for given options, where not all of them read the same.
    """

    def make(setup: Setup[O]) -> Scorer:
        read = frozenset(needs if reads is None else reads(setup.options))
        return CodeScorer(setup.name, setup.version, read, better, lambda subject: judge(subject, setup.options))

    return Kind(
        description=description,
        options=options,
        make=make,
        needs=frozenset(needs),
        value=value,
        better=better,
        source=source,
        version=version,
    )
