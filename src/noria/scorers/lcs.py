"""Longest common subsequences of token lists, a machine word at a time.

The dynamic-programming table has rows that rise by 0 or 1 from one column to the next, so a row is one big integer of
those steps, and a whole row is made by a few integer operations: O(m n / 64) instead of O(m n).
Source: Hyyrö 2004, "Bit-parallel LCS-length computation revisited".
"""

from __future__ import annotations

from collections.abc import Sequence


def rows(ours: Sequence[str], theirs: Sequence[str]) -> list[int]:
    """The table's rows, one for each prefix of ``ours``: bit j is set where column j + 1 is one more than column j."""
    full = (1 << len(theirs)) - 1
    places: dict[str, int] = {}
    for column, token in enumerate(theirs):
        places[token] = places.get(token, 0) | 1 << column
    level = full
    table = [0]
    for token in ours:
        met = level & places.get(token, 0)
        level = ((level + met) | (level - met)) & full
        table.append(~level & full)
    return table


def length(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    return rows(ours, theirs)[-1].bit_count()


def places(ours: Sequence[str], theirs: Sequence[str]) -> set[int]:
    """Indices into ``ours`` of one longest common subsequence: of several, the one that the ROUGE script finds.

    It walks back from the end and, where the tokens differ, goes left only when that keeps more than going up.
    """
    table = rows(ours, theirs)

    def cell(row: int, column: int) -> int:
        return (table[row] & ((1 << column) - 1)).bit_count()

    found: set[int] = set()
    row, column = len(ours), len(theirs)
    while row and column:
        if ours[row - 1] == theirs[column - 1]:
            row, column = row - 1, column - 1
            found.add(row)
        elif cell(row, column - 1) > cell(row - 1, column):
            column -= 1
        else:
            row -= 1
    return found
