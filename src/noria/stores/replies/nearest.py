"""The likest of many questions, all of them compared: exact, and quick enough for so many."""

from __future__ import annotations

import numpy as np

MOST_COMPARED = 2000
"""Questions that a new one is compared with: the newest with the same everything else."""


class Questions:
    """The newest questions with the same everything else, as unit vectors in one matrix."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._keys: list[str] = []
        self._rows: dict[str, int] = {}
        self._matrix = np.zeros((0, size // 4), dtype="<f4")
        self._next = 0
        self.newest_ns = 0
        """When the newest was kept."""

    def add(self, key: str, vector: bytes | None, kept_ns: int) -> None:
        """Add one, in the place of the oldest where there are too many."""
        self.newest_ns = max(self.newest_ns, kept_ns)
        if vector is None or len(vector) != self._size:
            return
        row = self._rows.get(key)
        if row is None:
            row, self._next = self._next % MOST_COMPARED, self._next + 1
            if row < len(self._keys):
                del self._rows[self._keys[row]]
                self._keys[row] = key
            else:
                self._keys.append(key)
            self._rows[key] = row
        if row >= len(self._matrix):
            more = np.zeros((max(16, len(self._matrix)), self._matrix.shape[1]), dtype="<f4")
            self._matrix = np.concatenate([self._matrix, more])
        self._matrix[row] = np.frombuffer(vector, dtype="<f4")

    def likest(self, vector: bytes) -> tuple[str, float] | None:
        """The key of the likest, and its cosine."""
        if not self._keys:
            return None
        cosines = np.einsum("ij,j->i", self._matrix[: len(self._keys)], np.frombuffer(vector, dtype="<f4"))
        best = int(cosines.argmax())
        return self._keys[best], float(cosines[best])
