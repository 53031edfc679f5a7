"""A case as a request: what a variant is asked."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from noria.core.apps import Variant
from noria.core.datasets import Case
from noria.core.errors import InvalidInput
from noria.core.messages import Message
from noria.core.requests import Lineage, Request


def ask(case: Case, variant: Variant, lineage: Lineage) -> Request:
    """The request for one case.

    With a prompt, the input's values are the template's variables. An input called ``messages`` is a conversation:
    ``{"role", "content"}`` objects, which a prompt puts where it says and which are all there is without one. Without
    a prompt a single text is what the user says.

    Raises:
        InvalidInput: there is no prompt, and the input is neither a conversation nor a single text.
    """
    return Request(
        model=variant.model,
        messages=_messages(case, prompted=variant.prompt_id is not None),
        params=variant.params,
        variables=case.input,
        lineage=lineage,
    )


def check_asks(cases: Sequence[Case], variants: Sequence[Variant]) -> None:
    """Raise ``InvalidInput`` for the first case that some variant cannot be asked, before any call is paid for."""
    for prompted in {variant.prompt_id is not None for variant in variants}:
        for case in cases:
            _messages(case, prompted=prompted)


def _messages(case: Case, *, prompted: bool) -> tuple[Message, ...]:
    if "messages" in case.input:
        try:
            return msgspec.convert(case.input["messages"], tuple[Message, ...])
        except msgspec.ValidationError as error:
            raise InvalidInput(f"The messages of case {case.id} are no conversation: {error}.") from error
    if prompted:
        return ()
    values = list(case.input.values())
    if len(values) == 1 and isinstance(values[0], str):
        return (Message(role="user", content=values[0]),)
    raise InvalidInput(
        f"Case {case.id} has the input {', '.join(case.input) or 'nothing'}, and no prompt says how to ask it.",
        hint="Give the variant a prompt, or the cases a single text or an input called messages.",
    )
