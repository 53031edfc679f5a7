"""Files beside the trace file that make questions fast, and that can always be made again from it.

``<trace file>.index/`` holds, named by the first number and the one behind the last: ``.ids`` of spans and ``.judged`` of
scores (see :mod:`keys`), and ``.said`` (see :mod:`blocks`). Their folder is named by the store's id, so that they are never taken for another file's.
No file is changed once it is there.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import numpy as np

from noria.stores.disk import replacing
from noria.stores.traces.embedded import keys
from noria.stores.traces.embedded.blocks import Words
from noria.stores.traces.embedded.keys import Run

Array = np.ndarray[Any, Any]
_NAME = re.compile(r"(\d+)-(\d+)\.(ids|judged|said)")


_WORD_BYTES = 10
RunKind = Literal["ids", "judged"]
Kind = Literal["ids", "judged", "said"]
"""What a file holds: its name's ending."""


class _Ranged(Protocol):
    @property
    def first(self) -> int: ...
    @property
    def end(self) -> int: ...


Kept = TypeVar("Kept", bound=_Ranged)


class Gap(NamedTuple):
    """Numbers that no file covers."""

    first: int
    """The first."""
    end: int
    """Behind the last."""


class Sidecar:
    """The folder of a trace file's index."""

    def __init__(self, path: Path, store_id: str) -> None:
        """Open or create it; whatever belongs to another file of this name goes."""
        root = path.with_name(path.name + ".index")
        self._folder = root / store_id
        root.mkdir(exist_ok=True)
        for other in root.iterdir():
            if other != self._folder:
                shutil.rmtree(other, ignore_errors=True)
        self._folder.mkdir(exist_ok=True)

    def keep_run(self, run: Run, kind: RunKind = "ids") -> Run:
        """Write a run; the same, mapped."""
        return keys.save(run, self._path(run, kind))

    def keep_words(self, words: Words) -> Words:
        """Write words; the same, mapped."""
        path = self._path(words, "said")
        with replacing(path) as file:
            for part in (words.hashes, words.blocks, words.rows):
                part.tofile(file)
        return _load_words(path, words.first, words.end)

    def drop(self, kept: Sequence[Run] | Sequence[Words], kind: Kind) -> None:
        """Remove files that others have replaced. What is mapped stays readable."""
        for item in kept:
            self._path(item, kind).unlink(missing_ok=True)

    def runs(self, end: int, kind: RunKind = "ids") -> tuple[list[Run], list[Gap]]:
        """The runs there are of numbers below ``end``, in order, and what they leave out."""
        return self._read(kind, end, keys.load)

    def words(self, end: int) -> tuple[list[Words], list[Gap]]:
        """The words there are of numbers below ``end``, in order, and what they leave out."""
        return self._read("said", end, _load_words)

    def _read(self, kind: Kind, end: int, load: Callable[[Path, int, int], Kept]) -> tuple[list[Kept], list[Gap]]:
        there = []
        for path in self._folder.iterdir():
            named = _NAME.fullmatch(path.name)
            if named is None:
                path.unlink(missing_ok=True)  # half-written
            elif named[3] == kind and int(named[2]) > end:
                path.unlink(missing_ok=True)  # of something that was never settled
            elif named[3] == kind:
                there.append((int(named[1]), -int(named[2]), path))
        found: list[Kept] = []
        gaps: list[Gap] = []
        at = 1
        for first, minus_end, path in sorted(there):
            if first < at:
                path.unlink(missing_ok=True)  # merged into a larger one, and a crash came before it went
                continue
            try:
                made = load(path, first, -minus_end)
            except (OSError, ValueError):
                path.unlink(missing_ok=True)
                continue
            if at < first:
                gaps.append(Gap(at, first))
            found.append(made)
            at = -minus_end
        if at < end:
            gaps.append(Gap(at, end))
        return found, gaps

    def _path(self, item: _Ranged, kind: Kind) -> Path:
        return self._folder / f"{item.first:019d}-{item.end:019d}.{kind}"


def _load_words(path: Path, first: int, end: int) -> Words:
    count, rest = divmod(path.stat().st_size, _WORD_BYTES)
    if rest:
        raise ValueError(f"{path.name} is not whole")
    data = keys.mapped(path, np.uint8) if count else np.zeros(0, np.uint8)
    return Words(
        first,
        end,
        data[: 4 * count].view(np.uint32),
        data[4 * count : 8 * count].view(np.uint32),
        data[8 * count :].view(np.uint16),
    )
