"""Who acts: written beside every promotion, push and label."""

from __future__ import annotations

from typing import Annotated

from litestar.params import HeaderParameter

Actor = Annotated[
    str,
    HeaderParameter(
        name="Noria-Actor",
        max_length=120,
        description="Who acts, as it should stand in the record. Every holder of the admin key may name anyone here.",
    ),
]
ADMIN = "admin"
"""Who acts when the request does not say."""
