"""Cases and data sets: what an application is tried on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from noria.core.identity import content_id
from noria.core.struct import Noun


class Case(Noun):
    """One input, with what is known about the right answer."""

    id: str
    """Unique within its data set; a content id where the file gives none."""
    input: dict[str, Any]
    """Values for the prompt's variables."""
    reference: Any = None
    """The expected answer, where there is one: text, number, label, list or object."""
    context: tuple[str, ...] = ()
    """Passages the answer should rest on."""
    cluster: str | None = None
    """Cases of one cluster (one document, one conversation) are not independent; statistics honour it."""
    metadata: dict[str, Any] = {}
    """Anything else: source, difficulty, licence."""


class Dataset(Noun):
    """An immutable version of many cases. The cases themselves are a blob."""

    id: str
    """Content id over the cases, in order: same cases, same id, on any machine."""
    name: str
    """What people call it."""
    size: int
    """Number of cases."""
    blob: str
    """SHA-256 of the blob that holds the cases, one JSON object a line."""
    columns: tuple[str, ...] = ()
    """Names found in the cases' inputs."""


def dataset_id(cases: Sequence[Case]) -> str:
    """The content id of a version."""
    return content_id("dataset", cases)


def case_id(input: dict[str, Any], reference: Any) -> str:
    """An id for a case that brings none."""
    return content_id("case", {"input": input, "reference": reference})
