"""What starts fast stays fast: the heavy packages are not imported where they are not needed."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "litestar",
    "sqlalchemy",
    "duckdb",
    "numpy",
    "rich",
    "httpx",
    "aiohttp",
    "structlog",
    "yaml",
    "asyncio.subprocess",
)


def imported_by(*arguments: str) -> set[str]:
    """Packages that a command line imports until it exits."""
    code = (
        "import sys\nfrom noria.cli.main import main\nsys.argv = ['noria', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit: pass\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert "Usage: noria" in done.stdout or "--help" not in arguments
    return set(done.stderr.split())


def test_help_imports_nothing_heavy() -> None:
    assert imported_by("--help").isdisjoint({*HEAVY, "asyncio", "msgspec"})


@pytest.mark.parametrize("command", ["prompts", "experiments", "models", "traces"])
def test_a_group_imports_no_server(command: str) -> None:
    assert imported_by(command, "--help").isdisjoint(set(HEAVY) - {"asyncio.subprocess"})


def test_a_command_in_a_new_folder_imports_what_it_uses(tmp_path: Path) -> None:
    unused = {"aiohttp", "alembic", "pydantic", "psycopg", "sqlalchemy.dialects.postgresql"}
    assert imported_by("prompts", "list", "--data", str(tmp_path / "new")).isdisjoint(unused)
