from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from noria.targets.egress import Egress


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    client = Egress()
    yield client
    await client.aclose()
