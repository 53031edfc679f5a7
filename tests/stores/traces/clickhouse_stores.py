"""ClickHouse for the tests: its real engine in this process, and a server where ``NORIA_TEST_CLICKHOUSE_URL`` names one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest

from noria.stores.traces.clickhouse.address import address
from noria.stores.traces.clickhouse.connection import connect

SERVER = os.environ.get("NORIA_TEST_CLICKHOUSE_URL")
ENGINES = ["chdb", *(["server"] if SERVER else [])]


@pytest.fixture(scope="session")
def clickhouse_engine(tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of the one folder that the engine of this process may have."""
    return f"chdb://{tmp_path_factory.mktemp('chdb')}"


@pytest.fixture(params=ENGINES, scope="session")
def clickhouse_database(request: pytest.FixtureRequest, clickhouse_engine: str) -> Iterator[str]:
    """URL of a database that all tests share: making tables takes longer than most of them."""
    name = f"noria_{secrets.token_hex(6)}"
    if request.param == "chdb":
        url = f"{clickhouse_engine}?database={name}&batch_ms=0&fsync=0"
    else:
        url = urlunsplit(urlsplit(SERVER or "")._replace(path=f"/{name}"))
    yield url
    client = connect(address(url), "", database="default")
    client.command(f"DROP DATABASE IF EXISTS {name}")
    client.close()


@pytest.fixture
def clickhouse_url(clickhouse_database: str) -> str:
    """URL of a database whose tables are empty, or not there yet."""
    place = address(clickhouse_database)
    client = connect(place, "", database="default")
    tables = client.query(
        f"SELECT name FROM system.tables WHERE database = '{place.database}' AND engine LIKE '%MergeTree'"
    )
    for (name,) in tables.result_rows:
        if name != "versions":
            client.command(f"TRUNCATE TABLE {place.database}.{name}")
    client.close()
    return clickhouse_database
