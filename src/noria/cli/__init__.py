"""The command line: one file a command. ``noria --help`` imports none of them."""

from __future__ import annotations

from noria.cli.main import main

__all__ = ["main"]
