"""What came of reading the configuration again."""

from __future__ import annotations

from noria.core.struct import Noun


class Reloaded(Noun):
    """A configuration that was read while the server runs."""

    changed: tuple[str, ...] = ()
    """Settings that differ from before and are in force now."""
    needs_restart: tuple[str, ...] = ()
    """Settings that differ in the file and count from the next start on."""
