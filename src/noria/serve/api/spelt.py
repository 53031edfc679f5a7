"""Answers that name every field."""

from __future__ import annotations

from typing import Any, TypeVar

from litestar import Response
from litestar.serialization import default_serializer

from noria.core.struct import spelt_out

T = TypeVar("T")


class SpeltOut(Response[T]):
    """A response that names every field, defaults too, so that no reader has to know them."""

    def render(self, content: Any, media_type: str, enc_hook: Any = default_serializer) -> bytes:
        """The body."""
        return super().render(spelt_out(content), media_type, enc_hook)
