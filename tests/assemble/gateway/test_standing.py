"""What is remembered of models, and what processes of one server know of each other's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from noria.assemble.gateway.standing import Standing
from noria.core.errors import BreakerOpen
from noria.settings import Provider
from noria.stores.openings import Openings
from noria.stores.places import SharedPlaces
from noria.targets.breaker import Breaker

PROVIDER = Provider(base_url="http://127.0.0.1:9/v1", breaker_calls=2, breaker_open_s=600)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no workers")
def test_a_breaker_that_opens_in_one_process_opens_in_the_others_and_no_other_model_s(tmp_path: Path) -> None:
    standings = [Standing(), Standing()]
    for row, standing in enumerate(standings):
        standing.share(SharedPlaces(tmp_path, row, 2), Openings(tmp_path, row, 2))

    def breaker(row: int, model: str) -> Breaker:
        found = standings[row].model(model, PROVIDER).breaker
        assert found is not None
        return found

    known, other = breaker(1, "p/m"), breaker(1, "p/other")
    for _ in range(2):
        breaker(0, "p/m").starts().ends("failed")
    for found in (known, breaker(0, "p/m")):
        with pytest.raises(BreakerOpen):
            found.starts()
    other.starts()
    assert standings[1].numbers()["noria_breakers_open"] == 1
