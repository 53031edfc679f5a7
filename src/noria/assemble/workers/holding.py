"""What a process that holds a data folder tells its workers, and where."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from noria.core.struct import Noun
from noria.stores.catalogue import Catalogue
from noria.stores.page import Page
from noria.stores.segments import Position

_CHANGES = 0
"""Slot of the page: how many commits of the catalogue the holder has made."""


class Holding(Noun):
    """Where a worker finds its holder."""

    socket: str
    """Path of the Unix socket on which it answers."""
    page: str
    """File of the page on which it tells of changes."""
    worker: int
    """Which of its workers this one is, from 1."""


@contextlib.contextmanager
def telling_changes(catalogue: Catalogue, path: Path) -> Iterator[None]:
    """Tell of each commit on a new page at ``path``, before whoever made it is answered."""
    with contextlib.closing(Page.make(path)) as page:
        catalogue.tell(lambda changes: page.put(_CHANGES, Position(changes, 0)))
        try:
            yield
        finally:
            catalogue.tell(lambda _changes: None)


@contextlib.contextmanager
def hearing_changes(catalogue: Catalogue, path: Path) -> Iterator[None]:
    """Know of each commit that is told on the page at ``path``."""
    with contextlib.closing(Page.open(path)) as page:
        catalogue.follow(lambda: page.get(_CHANGES).segment)
        try:
            yield
        finally:
            catalogue.follow(lambda: 0)
