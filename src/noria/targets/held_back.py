"""A reply that is held back until what leaves has been checked: so many characters, and no more.

A reply has several texts at once: for each choice the answer, the thinking, a refusal, each tool call's arguments. Each is
held back by itself; events leave in the order in which they came, whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import NamedTuple

import msgspec

from noria.core.events import Content, Delta, Raw, Stopped, ToolCallDelta, plain
from noria.core.guards import Flaw


class Strand(NamedTuple):
    """One of a reply's texts."""

    choice: int
    """Which choice."""
    kind: str
    """``text``, ``reasoning``, ``refusal`` or ``tool_call``."""
    call: int = 0
    """Which tool call."""


class Look(NamedTuple):
    """What is to be checked before some of it leaves."""

    text: str
    """All that is held back of a strand."""
    before: str
    """The end of what has left."""
    kind: str
    """The strand's."""
    final: bool
    """Whether the strand ends here."""
    leaving: int
    """So many characters leave if nothing is found; what begins behind them will be looked at again."""
    cleared: int
    """So many were looked at before, and have not left because their events go on."""


Check = Callable[[Look], Awaitable[list[Flaw]]]
"""Returns what is to be replaced, by its place and without overlaps; raises to let nothing more leave."""


class _Held(msgspec.Struct):
    event: Content | Raw
    pieces: dict[Strand, str]
    changed: bool = False


class _State(msgspec.Struct):
    before: str = ""
    cleared: int = 0
    fresh: int = 0


class HeldBack:
    """Takes a reply's events, and lets them go when they have been checked.

    Arguments:
        reach: characters that stay back; None for all, until the strand ends.
        check: looks at texts.
        changes: whether ``check`` may replace anything. Then a provider's bytes are taken apart from the start: a caller
            never reads half of a reply in its bytes and half in ours.
    """

    def __init__(self, reach: int | None, check: Check, *, changes: bool) -> None:
        self._reach = reach
        self._step = max(1, (reach or 0) // 4)  # so that not every character costs a check
        self._check = check
        self._changes = changes
        self._queue: deque[_Held] = deque()
        self._states: dict[Strand, _State] = {}
        self._unsealed: set[int] = set()
        self.changed = False
        """Whether anything was replaced."""

    async def take(self, event: Content | Raw) -> list[Content | Raw]:
        """Take one event; what may leave now."""
        for one in plain(event) if self._changes else (event,):
            await self._take(one)  # type: ignore[arg-type]  # what a provider says means only what a provider says
        return list(self._leaving())

    async def end(self) -> list[Content | Raw]:
        """Nothing more will come; the rest."""
        for strand in self._states:
            await self._clear(strand, final=True)
        return list(self._leaving())

    async def _take(self, event: Content | Raw) -> None:
        pieces, stopped = _pieces(event)
        for strand in list(self._states):
            # Where a choice goes on with another text, what it said before is whole, and must not wait behind it.
            ended = strand.choice in stopped or (
                strand not in pieces and any(other.choice == strand.choice for other in pieces)
            )
            if ended and strand not in pieces:
                await self._clear(strand, final=True)
        self._queue.append(_Held(event, pieces))
        for strand, text in pieces.items():
            state = self._states.setdefault(strand, _State())
            state.fresh += len(text)
            if strand.choice in stopped:
                await self._clear(strand, final=True)
            elif state.fresh >= self._step:
                await self._clear(strand, final=False)

    async def _clear(self, strand: Strand, *, final: bool) -> None:
        state = self._states[strand]
        text = "".join(held.pieces.get(strand, "") for held in self._queue)
        back = 0 if final else len(text) if self._reach is None else self._reach
        leaving = max(0, len(text) - back)
        if leaving <= state.cleared:
            return
        state.fresh = 0
        flaws = await self._check(Look(text, state.before, strand.kind, final, leaving, state.cleared))
        for flaw in reversed(flaws):
            self._replace(strand, flaw)
        state.cleared = _moved(leaving, flaws)

    def _replace(self, strand: Strand, flaw: Flaw) -> None:
        """Put other words where a flaw is, over all the events that it is spread over."""
        at, instead = 0, flaw.instead
        for held in self._queue:
            piece = held.pieces.get(strand)
            if piece is None:
                continue
            start, end = max(flaw.start - at, 0), min(flaw.end - at, len(piece))
            at += len(piece)
            if start < end:
                held.pieces[strand] = piece[:start] + instead + piece[end:]
                held.changed, instead = True, ""
                self.changed = True
        if strand.kind == "reasoning":
            self._unsealed.add(strand.choice)

    def _leaving(self) -> Iterator[Content | Raw]:
        while self._queue:
            held = self._queue[0]
            if any(len(piece) > self._states[strand].cleared for strand, piece in held.pieces.items()):
                return
            self._queue.popleft()
            for strand, piece in held.pieces.items():
                state = self._states[strand]
                state.cleared -= len(piece)
                state.before = (state.before + piece)[-(self._reach or 256) :]
            yield self._rewritten(held)

    def _rewritten(self, held: _Held) -> Content | Raw:
        event = held.event
        if not isinstance(event, Delta):
            return event
        if event.thought is not None and event.index in self._unsealed:  # the seal is of other words
            event = msgspec.structs.replace(event, thought=None)
        if not held.changed:
            return event

        def piece(kind: str, call: int = 0) -> str:
            return held.pieces.get(Strand(event.index, kind, call), "")

        calls: list[ToolCallDelta] = []
        for call in event.tool_calls:
            first = all(call.index != other.index for other in calls)
            arguments = piece("tool_call", call.index) if first else ""
            calls.append(msgspec.structs.replace(call, arguments=arguments))
        return msgspec.structs.replace(
            event,
            text=piece("text"),
            reasoning=piece("reasoning"),
            refusal=piece("refusal"),
            tool_calls=tuple(calls),
        )


def _moved(leaving: int, flaws: list[Flaw]) -> int:
    """How much may leave once every flaw is replaced: what takes a flaw's place leaves whole."""
    moved = leaving
    for flaw in flaws:
        inside = min(flaw.end, leaving) - flaw.start
        moved += len(flaw.instead) - inside
    return moved


def _pieces(event: Content | Raw) -> tuple[dict[Strand, str], set[int]]:
    """What an event adds to each text, and which choices it ends."""
    found: dict[Strand, str] = {}
    stopped: set[int] = set()
    for inner in plain(event):
        if isinstance(inner, Stopped):
            stopped.add(inner.index)
        if not isinstance(inner, Delta):
            continue
        said = [(Strand(inner.index, "text"), inner.text), (Strand(inner.index, "reasoning"), inner.reasoning)]
        said.append((Strand(inner.index, "refusal"), inner.refusal))
        said += [(Strand(inner.index, "tool_call", call.index), call.arguments) for call in inner.tool_calls]
        for strand, text in said:
            if text:
                found[strand] = found.get(strand, "") + text
    return found, stopped
