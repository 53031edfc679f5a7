"""The configuration that a command works with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from noria.core.refusals import Check
from noria.settings import Settings, load_settings


def configuration(**given: Any) -> Settings:
    """That of this folder and the environment, with what the command line gives; None is not given.

    Raises:
        InvalidInput: naming the file or variable, the setting, and what is wrong with it.
    """
    return load_settings(os.environ, Path.cwd(), given, also=_guards)


def _guards(settings: Settings) -> Iterator[Check]:
    if settings.guards:
        from noria.assemble.gateway.guarding import guard_checks  # noqa: PLC0415  # a second, for those who have guards

        yield from guard_checks(settings.guards)
