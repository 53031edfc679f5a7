"""What a caller's key opens: the app or model that it names, and every other model that its request names beside it."""

from __future__ import annotations

from noria.core.errors import NotAllowed
from noria.core.keys import EVERYTHING, Caller, Key
from noria.core.named_models import named_models
from noria.core.requests import Request

_SHOWN = 5
"""Names that a key opens which a refusal tells."""


def permitted(key: Key | None, request: Request) -> Caller:
    """On whose behalf the call is made.

    Raises:
        NotAllowed: the key does not open the app or model, or another model that the request names in the provider's own fields.
    """
    if key is None:
        return Caller()
    name = request.model
    if (key.models, key.apps) != (EVERYTHING, EVERYTHING) and not key.may_call(name):
        raise _refused(key, name)
    if key.models != EVERYTHING:
        provider, slash, _ = name.partition("/")
        for field, other in named_models(request):
            if not (slash and key.may_call(f"{provider}/{other}")):
                raise _refused(key, other, f", which the request names in `{field}`")
    return key.caller


def _refused(key: Key, name: str, where: str = "") -> NotAllowed:
    opens = ", ".join((*key.apps, *key.models)[:_SHOWN])
    return NotAllowed(
        f"The key {key.name!r} does not open {name[:80]!r}{where}.",
        status=403,
        hint=f"It opens: {opens}{' ...' if len(key.apps) + len(key.models) > _SHOWN else ''}." if opens else "",
    )
