"""A variant around a target: the model and parameters that were evaluated are the ones that answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from noria.core.answering import Answering, Tell, answering
from noria.core.apps import Variant
from noria.core.events import Event
from noria.core.protocols import Target
from noria.core.requests import Parameters, Request, replace_lineage

IGNORED = "noria.params_ignored"
"""Attribute: names of the caller's parameters that the variant overruled."""


class AsVariant:
    """A target that answers as one variant of an app."""

    def __init__(self, inner: Target, variant: Variant, variant_id: str) -> None:
        self._inner = inner
        self._answer = answering(inner)
        self._variant = variant
        self._variant_id = variant_id

    def call(self, request: Request) -> AsyncIterator[Event]:
        """Set model and parameters, then call on: nothing stands between the caller and the target."""
        return self._inner.call(self._set(request))

    def answer(self, request: Request, tell: Tell) -> Answering:
        """The same, told."""
        return self._answer(self._set(request), tell)

    def _set(self, request: Request) -> Request:
        """The request as the variant makes it. What the caller asked for in vain is listed in the attributes."""
        params, ignored = merged(self._variant.params, request.params)
        unread, lost = _remaining(request.unread, self._variant.params)
        ignored = sorted({*ignored, *lost})
        attributes = request.attributes | ({IGNORED: ignored} if ignored else {})
        request = msgspec.structs.replace(
            request, model=self._variant.model, params=params, unread=unread, attributes=attributes
        )
        return replace_lineage(request, variant_id=self._variant_id, model_id=self._variant.model_id)


def merged(ours: Parameters, theirs: Parameters) -> tuple[Parameters, list[str]]:
    """``theirs`` overruled by ``ours`` wherever ours are set, and the names of those that lost, sorted.

    Provider-specific fields are overruled one by one. A schema of ours overrules their ``response_format`` too.
    """
    default = Parameters()
    names = [name for name in Parameters.__struct_fields__ if name != "extra"]
    fixed: dict[str, Any] = {n: getattr(ours, n) for n in names if getattr(ours, n) != getattr(default, n)}
    ignored = {n for n in fixed if getattr(theirs, n) not in (getattr(default, n), fixed[n])}
    wanted = dict(theirs.extra)
    if "response_schema" in fixed and wanted.pop("response_format", None) is not None:
        ignored.add("response_format")
    ignored |= {name for name in ours.extra.keys() & wanted.keys() if ours.extra[name] != wanted[name]}
    return msgspec.structs.replace(theirs, **fixed, extra=wanted | ours.extra), sorted(ignored)


def _remaining(unread: dict[str, Any], ours: Parameters) -> tuple[dict[str, Any], list[str]]:
    """The caller's fields without a noun that are not overruled, and the names of those that are.

    A schema of ours overrules their ``response_format`` too.
    """
    overruled = ours.extra.keys() | ({"response_format"} if ours.response_schema is not None else set())
    lost = [name for name, value in unread.items() if name in overruled and ours.extra.get(name) != value]
    return {name: value for name, value in unread.items() if name not in overruled}, lost
