from __future__ import annotations

import pytest
from clickhouse_stores import clickhouse_database, clickhouse_engine, clickhouse_url
from trace_contract import TraceContract

from noria.stores.traces.clickhouse.store import ClickHouseTraces

__all__ = ["clickhouse_database", "clickhouse_engine", "clickhouse_url"]


class TestClickHouseTraces(TraceContract):
    @pytest.fixture
    async def store(self, clickhouse_url):
        store = await ClickHouseTraces.open(clickhouse_url, wait_until_gone=False)
        yield store
        await store.close()
