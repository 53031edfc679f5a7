"""Opaque ids."""

from __future__ import annotations

import secrets


def new_id() -> str:
    """A fresh opaque id: 128 random bits as 32 hex digits, of which people may write the beginning."""
    return secrets.token_hex(16)
