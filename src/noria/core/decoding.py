"""What goes wrong where JSON from outside is decoded."""

from __future__ import annotations

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What ``msgspec.json.decode`` raises for bytes that are not the JSON asked for: besides its own errors, one for bytes that
are no UTF-8, and one for brackets nested without end."""
