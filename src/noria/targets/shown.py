"""What of a model's answer its caller can't be shown, because the caller's wire has no place for it.

An answer that is an image is none without it, so that is an error, unless the caller allows it to be left out; where
the request itself asks for one, before anything is paid. What only goes with an answer (log-probabilities, further
answers, what a provider's own tools did) is left out without leave. Either way it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from noria.core.errors import InvalidInput, NoriaError, Unshowable
from noria.core.events import Event, Raw, Sent
from noria.core.messages import AudioPart, ImagePart, Part
from noria.core.replies import Reply
from noria.core.requests import Request
from noria.wires.carrying import FORBIDDEN
from noria.wires.shows import ANSWERS, Shows

Wires = Mapping[str, Shows]
"""Name of a caller's wire -> what it shows. A wire that is not there shows everything."""
_MADE: dict[str, Part] = {"image": ImagePart(url=""), "audio": AudioPart(data="", format="")}
"""What a request can ask a model to make, as it would be in the answer."""


class Shown:
    """Follows one call.

    Arguments:
        request: as it came.
        shows: what the caller's wire has a place for.
    """

    def __init__(self, request: Request, shows: Shows) -> None:
        self._request = request
        self._shows = shows
        self._untouched = False
        self.refusal: InvalidInput | None = None
        """Why the call must not be made."""

    def take(self, event: Event) -> None:
        """Note one event. Raises ``InvalidInput`` where the request that is about to leave asks for what can't be shown."""
        if type(event) is Raw:
            self._untouched = self._untouched or event.wire == self._request.wire
        elif type(event) is Sent:
            for name in _asked(event.request):
                if name in _MADE and not self._shows.part(_MADE[name]) and not self._may_drop(name):
                    self.refusal = InvalidInput(
                        f"The model is asked for `{name}`, which the wire of this call has no place for.",
                        kept="Nothing was sent.",
                        hint=_hint(name),
                    )
                    raise self.refusal

    def refused(self, error: NoriaError) -> NoriaError | None:
        """The error, where it is why the call must not be made."""
        return error if error is self.refusal else None

    def left_out(self, reply: Reply, wire: str = "") -> tuple[str, ...]:
        """Names of what a complete reply holds and its caller isn't shown.

        Arguments:
            reply: the reply.
            wire: that whose bytes it came in, which go on as they are.

        Raises:
            Unshowable: the caller doesn't allow it to be left out.
        """
        if self._untouched or wire == self._request.wire:
            return ()
        names = tuple(dict.fromkeys(self._shows.lacks(reply)))
        for name in names:
            if FORBIDDEN in self._request.may_drop or (name in ANSWERS and not self._may_drop(name)):
                raise Unshowable(
                    f"The answer holds `{name}`, which the wire of this call has no place for.",
                    kept=_paid(reply),
                    hint=_hint(name),
                )
        return names

    def _may_drop(self, name: str) -> bool:
        return "*" in self._request.may_drop or name in self._request.may_drop


def _hint(name: str) -> str:
    return f"Call the model over another wire, such as /v1/chat/completions, or allow it to be left out: noria-may-drop: {name}."


def _paid(reply: Reply) -> str:
    used = reply.usage
    tokens = f" with {used.input_tokens} tokens read and {used.output_tokens} written" if used else ""
    return f"It was paid for, and is on record whole{tokens}."


def _asked(request: Request) -> Iterator[str]:
    """What a request asks the model to make, in the fields of the providers that can."""
    fields = request.params.extra
    if not fields:
        return
    config = fields.get("generationConfig")
    wanted: list[Iterable[Any]] = [_list(fields.get("modalities"))]
    if isinstance(config, dict):
        wanted.append(_list(config.get("responseModalities")))
    for modalities in wanted:
        yield from (kind.lower() for kind in modalities if isinstance(kind, str))
    for tool in _list(fields.get("tools")):
        if isinstance(tool, dict) and tool.get("type") == "image_generation":
            yield "image"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
