"""What has come and is not in the file yet: tables in memory, filled from the spool, which holds the same on disk.

The numbers (``seq``) of a recent table are a range of at most one row group. When it is full it is *sealed*: nothing is
added to it, another takes its place, and it is settled. A later copy of a span deletes an earlier one from the same
table; one in an older table or in the file it *hides*, until it is settled itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from noria.stores.segments import Position
from noria.stores.traces.embedded.blocks import BLOCK, Words
from noria.stores.traces.embedded.keys import Run, merged, to_merge
from noria.stores.traces.embedded.tables import ROW_GROUP, create


@dataclass(slots=True)
class Recent:
    """One recent table of spans, with its scores and what it hides."""

    number: int
    """In its tables' names."""
    first: int
    """Number of its first span."""
    end: int
    """Behind its last."""
    first_score: int
    """Number of its first score."""
    end_score: int
    """Behind its last."""
    position: Position
    """Before it, everything in the spool is in this table or an older one."""
    skip: int = 0
    """So many spans behind ``position`` are, too."""
    earliest: int = 2**63 - 1
    """When the first of its spans started, nanoseconds."""
    hidden: int = 0
    """How many older copies it hides."""
    sealed: bool = False
    """Nothing is added any more."""
    born: float = field(default_factory=time.monotonic)
    """When it began, by the monotonic clock."""
    runs: tuple[Run, ...] = ()
    """Where its spans are."""
    words: tuple[Words, ...] = ()
    """What is said in its full blocks."""
    worded: int = 0
    """Behind the last number whose words are known."""

    def __post_init__(self) -> None:
        self.worded = self.worded or self.first

    @property
    def unread(self) -> bool:
        """Whether a block is full whose words are not known."""
        return (self.worded // BLOCK + 1) * BLOCK <= self.end

    @property
    def limit(self) -> int:
        """Its numbers stay below this."""
        return self.first + ROW_GROUP

    @property
    def empty(self) -> bool:
        """Whether nothing has come."""
        return self.first == self.end and self.first_score == self.end_score

    @property
    def spans(self) -> str:
        """Name of its table of spans."""
        return f"memory.main.spans_{self.number}"

    @property
    def scores(self) -> str:
        """Name of its table of scores."""
        return f"memory.main.scores_{self.number}"

    @property
    def hides(self) -> str:
        """Name of the table of numbers that it hides."""
        return f"memory.main.hides_{self.number}"

    def creation(self) -> list[str]:
        """Statements that make its tables."""
        return [
            create("spans", self.spans),
            create("scores", self.scores),
            f"CREATE TABLE {self.hides} (seq BIGINT)",
        ]

    def removal(self) -> list[str]:
        """Statements that drop them."""
        return [f"DROP TABLE {name}" for name in (self.spans, self.scores, self.hides)]

    def add(self, run: Run) -> None:
        """Spans have come."""
        runs = [*self.runs, run]
        while count := to_merge([len(run.traces) for run in runs]):
            runs[-count:] = [merged(runs[-count:])]
        self.runs = tuple(runs)
