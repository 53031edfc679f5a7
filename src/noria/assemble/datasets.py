"""Data sets: their cases in the blob store, their names and versions in the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

from noria.core.audit import SYSTEM
from noria.core.datasets import Case, Dataset, dataset_id
from noria.core.errors import InvalidInput
from noria.core.protocols import BlobStore
from noria.evaluate.files.datasets import decode_cases, encode_cases
from noria.stores.catalogue import Catalogue


class Datasets:
    """Stores versions of data sets and gives their cases."""

    def __init__(self, catalogue: Catalogue, blobs: BlobStore) -> None:
        self._catalogue = catalogue.datasets
        self._blobs = blobs

    def put(self, name: str, cases: Sequence[Case], *, by: str = SYSTEM) -> Dataset:
        """Store a version of a data set. Raises ``InvalidInput`` when it is empty."""
        if not cases:
            raise InvalidInput(f"The data set {name!r} has no cases.", kept="Nothing was stored.")
        columns = tuple(dict.fromkeys(column for case in cases for column in case.input))
        blob = self._blobs.put(encode_cases(cases))
        dataset = Dataset(id=dataset_id(cases), name=name, size=len(cases), blob=blob, columns=columns)
        self._catalogue.put(dataset, by=by)
        return dataset

    def cases(self, dataset_id: str) -> list[Case]:
        """The cases of a data set version."""
        with self._blobs.open(self._catalogue.get(dataset_id).blob) as file:
            return decode_cases(file.read())
