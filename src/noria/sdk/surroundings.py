"""What holds for everything that happens within a block: session, user, prompt. It rides on OpenTelemetry's context.

So it follows the program into tasks and callbacks as spans do, and spans of any instrumentation carry it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from opentelemetry import baggage
from opentelemetry import context as otel

from noria.sdk.fields import PLAIN, attribute

_KEY = otel.create_key("noria.surroundings")
_BAGGAGE = {"session.id": PLAIN["session"], "user.id": PLAIN["user"]}
"""Baggage that services pass on to one another, and the attribute that it becomes here."""


@contextlib.contextmanager
def context(
    *, session: str | None = None, user: str | None = None, propagate: bool = False, **attributes: Any
) -> Iterator[None]:
    """Everything traced in this block belongs to a session and a user. Also a decorator.

    Arguments:
        session: the conversation.
        user: the end user.
        propagate: also put both into OpenTelemetry's baggage, which instrumented HTTP clients send to whoever is called.
            Off by default: it would tell third parties who the user is.
        attributes: more attributes for every span in the block, under their own names.
    """
    known = {PLAIN["session"]: session, PLAIN["user"]: user}
    found = {name: attribute(value) for name, value in {**known, **attributes}.items() if value is not None}
    with within(found, {"session.id": session, "user.id": user} if propagate else {}):
        yield


@contextlib.contextmanager
def within(attributes: dict[str, Any], passed_on: dict[str, str | None] | None = None) -> Iterator[None]:
    """Stamp ``attributes`` on every span that begins in this block."""
    around = otel.set_value(_KEY, {**stamped(otel.get_current()), **attributes})
    for name, value in (passed_on or {}).items():
        if value is not None:
            around = baggage.set_baggage(name, value, around)
    token = otel.attach(around)
    try:
        yield
    finally:
        otel.detach(token)


def stamped(around: otel.Context | None) -> dict[str, Any]:
    """Attributes for a span that begins in this context."""
    found = otel.get_value(_KEY, around)
    own: dict[str, Any] = found if isinstance(found, dict) else {}
    brought = baggage.get_all(around)
    if not brought:
        return own
    return {to: brought[name] for name, to in _BAGGAGE.items() if name in brought} | own
