from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serve.conftest import Noria

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=5
)


async def test_the_same_cases_are_one_version(noria: Noria) -> None:
    cases = [{"id": "1", "input": {"q": "a"}, "reference": True}, {"id": "2", "input": {"q": "b", "extra": 1}}]
    first = await noria.post("/api/datasets", {"name": "d", "cases": cases})
    assert (await noria.post("/api/datasets", {"name": "d", "cases": cases}))["id"] == first["id"]
    assert (first["size"], first["columns"]) == (2, ["q", "extra"])
    assert await noria.get(f"/api/datasets/{first['id'][:14]}") == first
    assert await noria.get("/api/datasets/d") == first
    [second] = await noria.get("/api/datasets/d/cases", limit=1, offset=1)
    assert (second["id"], second["input"], second["reference"]) == ("2", {"q": "b", "extra": 1}, None)
    assert await noria.get("/api/datasets/d/cases", offset=7) == []
    assert len(await noria.get("/api/datasets")) == 1


async def test_pages_and_names_that_make_no_sense(noria: Noria) -> None:
    await noria.post("/api/datasets", {"name": "d", "cases": [{"id": "1", "input": {}}]})
    for query in (
        "limit=0",
        "limit=-1",
        "limit=10001",
        "offset=-1",
        "offset=99999999999999999999",
        "limit=x",
        "limit=",
    ):
        response = await noria.client.get(f"/api/datasets/d/cases?{query}")
        assert response.status_code == 400
        assert query.split("=")[0] in response.json()["error"]["message"]
    assert (await noria.client.post("/api/datasets", json={"name": "e", "cases": []})).status_code == 400
    assert (await noria.client.get("/api/datasets/e")).status_code == 404


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES)
async def test_any_value_comes_back_with_its_type(noria: Noria, value: object) -> None:
    case = {"id": "1", "input": {"x": value}, **({} if value is None else {"reference": value})}
    put = await noria.post("/api/datasets", {"name": "d", "cases": [case]})
    [back] = await noria.get(f"/api/datasets/{put['id']}/cases")
    assert repr(back["input"]["x"]) == repr(value)
    assert repr(back.get("reference")) == repr(value)
