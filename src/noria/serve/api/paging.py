"""How much of a list is asked for."""

from __future__ import annotations

from typing import Annotated

from litestar.params import QueryParameter

Limit = Annotated[int, QueryParameter(ge=1, le=10_000, description="Most entries to return.")]
Offset = Annotated[int, QueryParameter(ge=0, le=2**53, description="Entries to skip.")]
Before = Annotated[int | None, QueryParameter(ge=1, le=2**31 - 1, description="Only entries before this one.")]
