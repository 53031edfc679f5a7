from __future__ import annotations

import pytest
from trace_contract import TraceContract

from noria.stores.traces.memory import MemoryTraces


class TestMemoryTraces(TraceContract):
    @pytest.fixture
    def store(self):
        return MemoryTraces()
