from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from noria_cli import Noria
from upstream import Upstream


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command line that ran in this process has configured logging; the next test shall not inherit it."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    found = Upstream()
    yield found
    found.close()


@pytest.fixture
def noria(tmp_path: Path, upstream: Upstream) -> Noria:
    return Noria(tmp_path / "data", {"NORIA_PROVIDERS": upstream.providers})
