"""Which guards check which calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from noria.assemble.gateway.naming import names_for
from noria.core.errors import InvalidInput
from noria.core.guards import GuardRule
from noria.core.protocols import Target
from noria.core.refusals import Check
from noria.guards.registry import find, make
from noria.targets.guard_checks import AskFor, InForce
from noria.targets.guarded import Guarded


def guard_checks(rules: Sequence[GuardRule]) -> Iterator[Check]:
    """What refuses rules that can't be put into force: checks, each with the place of what it is about."""
    for number, rule in enumerate(rules):
        place = ("guards", str(number))
        yield place, partial(_check_needs, rule)
        yield (*place, "kind"), partial(find, rule.kind)
        yield (*place, "options"), partial(make, rule)


class Guards:
    """Puts guards around what is called, where the settings ask for them.

    Arguments:
        rules: the guards in force, and on what each is.
        aliases: other names of what is called.
        ask: calls a model for a guard, because of a call.

    Raises:
        InvalidInput: a rule can't be put into force: its kind or an option is wrong, or it comes to nothing.
    """

    def __init__(self, rules: Sequence[GuardRule], aliases: Mapping[str, str], ask: AskFor) -> None:
        for rule in rules:
            _check_needs(rule)
        self._aliases = aliases
        self._ask = ask
        self._guards = [InForce(make(rule), rule) for rule in rules]

    def anew(self, rules: Sequence[GuardRule], aliases: Mapping[str, str]) -> Guards:
        """The guards of other settings. Raises ``InvalidInput``."""
        return Guards(rules, aliases, self._ask)

    def around(self, called: Sequence[str], inner: Target) -> Target:
        """``inner``, checked as calls of any of these names have to be."""
        names = {written for name in called for written in names_for(name, self._aliases)}
        mine = [one for one in self._guards if names & set(one.rule.on)]
        return Guarded(inner, mine, self._ask) if mine else inner


def _check_needs(rule: GuardRule) -> None:
    if not rule.places or not rule.on or not rule.deadline_s > 0:
        raise InvalidInput(f"The guard {rule.title!r} needs places, calls that it is on, and a deadline.")
