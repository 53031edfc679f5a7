"""What it takes to repeat an experiment: versions, platform, and the commit of the project it was run in."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("xllamacpp", "duckdb", "numpy", "minijinja", "genai-prices")
"""Packages whose version can change a result."""


def environment(noria_version: str) -> dict[str, str | int]:
    """Facts about this machine and process, fit to be kept with an experiment."""
    facts: dict[str, str | int] = {
        "noria": noria_version,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 0,
    }
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            continue
    if commit := _commit(Path.cwd()):
        facts["git_commit"] = commit
    return facts


def _commit(directory: Path) -> str:
    """The commit that is checked out, with ``+changes`` when files differ from it; empty outside of git."""
    try:
        head = _git(directory, "rev-parse", "HEAD")
        changed = _git(directory, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return head + ("+changes" if changed else "")


def _git(directory: Path, *arguments: str) -> str:
    """What git says. It only looks: it starts no monitor that the folder's own configuration names, and writes nothing."""
    found = subprocess.run(  # noqa: S603  # fixed arguments
        ["git", "-C", str(directory), "-c", "core.fsmonitor=false", "--no-optional-locks", *arguments],  # noqa: S607  # the git of the user's PATH is the one meant
        capture_output=True,
        check=True,
        text=True,
        timeout=5,
    )
    return found.stdout.strip()
