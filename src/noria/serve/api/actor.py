"""Who acts: written beside every promotion, push and label."""

from __future__ import annotations

from typing import Annotated

from litestar.params import Parameter

Actor = Annotated[
    str,
    Parameter(
        header="Noria-Actor",
        required=False,
        default="admin",
        max_length=120,
        description="Who acts, as it should stand in the record. Every holder of the admin key may name anyone here.",
    ),
]
