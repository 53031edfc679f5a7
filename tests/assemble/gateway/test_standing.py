"""What is remembered of models, and what processes of one server know of each other's."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from noria.assemble.gateway.standing import Standing
from noria.core.errors import BreakerOpen
from noria.settings import Provider
from noria.stores.openings import Openings
from noria.stores.places import SharedPlaces
from noria.targets.breaker import Breaker
from noria.targets.observed import Watch

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


@pytest.mark.skipif(sys.platform == "win32", reason="there are no workers")
def test_a_provider_that_is_configured_anew_begins_with_a_closed_breaker_in_all_processes(tmp_path: Path) -> None:
    standings = [Standing(), Standing()]
    for row, standing in enumerate(standings):
        standing.share(SharedPlaces(tmp_path, row, 2), Openings(tmp_path, row, 2))

    def starts(row: int, provider: Provider) -> Watch:
        found = standings[row].model("p/m", provider).breaker
        assert found is not None
        return found.starts()

    for _ in range(2):
        starts(0, PROVIDER).ends("failed")
    anew = msgspec.structs.replace(PROVIDER, base_url="http://127.0.0.1:8/v1")
    for row in (0, 1):
        with pytest.raises(BreakerOpen):
            starts(row, PROVIDER)
        starts(row, anew).ends("failed")
    starts(1, anew).ends("failed")
    for row in (0, 1):
        with pytest.raises(BreakerOpen):
            starts(row, anew)
