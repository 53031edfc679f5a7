"""Random requests to every route of the REST API: whatever comes in, no defect comes out."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from .conftest import Noria

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["a", "up/m", "d", "exact", "1", "start_ns", "attributes.x", "\x00", "../..", "%", "'", '"'])
)
JSON = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3))
TEXTS = st.text(max_size=12) | st.sampled_from(["a", "d", "1", "latest", "\x00", "..", "%2e", "x" * 300])


def value_of(schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that fit a schema, more or less: each place may hold something else."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    if depth > 5:
        return SCALARS
    if options := schema.get("oneOf") or schema.get("anyOf"):
        return st.one_of([value_of(option, schemas, depth + 1) for option in options])
    kind = schema.get("type")
    if "enum" in schema:
        fitting: st.SearchStrategy[Any] = st.sampled_from(schema["enum"])
    elif "const" in schema:
        fitting = st.just(schema["const"])
    elif kind == "object" and "properties" in schema:
        fields = {name: value_of(found, schemas, depth + 1) for name, found in schema["properties"].items()}
        needed = {name: found for name, found in fields.items() if name in schema.get("required", ())}
        rest = {name: found for name, found in fields.items() if name not in needed}
        fitting = st.fixed_dictionaries(needed, optional=rest)
    elif kind == "array":
        fitting = st.lists(value_of(schema.get("items", {}), schemas, depth + 1), max_size=2)
    elif kind == "object":
        fitting = st.dictionaries(st.text(max_size=5), SCALARS, max_size=2)
    else:
        fitting = {
            "string": TEXTS,
            "integer": st.integers(-3, 2**66),
            "number": st.floats(-1, 2),
            "null": st.none(),
        }.get(kind, SCALARS)
    return st.integers(0, 15).flatmap(lambda n: JSON if n == 0 else fitting)


async def test_no_request_finds_a_defect(noria: Noria) -> None:
    document = await noria.get("/api/openapi.json")
    schemas = document["components"]["schemas"]
    operations = [
        (path, method, found) for path, methods in document["paths"].items() for method, found in methods.items()
    ]
    bodies = {
        found["operationId"]: value_of(found["requestBody"]["content"]["application/json"]["schema"], schemas)
        for _, _, found in operations
        if "requestBody" in found
    }
    requests: list[tuple[str, str, dict[str, str], bytes]] = []

    @settings(max_examples=250, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.data())
    def collect(data: st.DataObject) -> None:
        path, method, found = data.draw(st.sampled_from(operations))
        query = {}
        for parameter in found.get("parameters", ()):
            text = data.draw(TEXTS | st.integers(-2, 2**66).map(str))
            if parameter["in"] == "path":
                path = path.replace("{" + parameter["name"] + "}", quote(text or "x", safe=""))
            elif parameter["in"] == "query" and data.draw(st.booleans()):
                query[parameter["name"]] = text
        body = bodies.get(found["operationId"])
        content = msgspec.json.encode(data.draw(body)) if body is not None else b""
        if content and data.draw(st.integers(0, 9)) == 0:
            content = content[: data.draw(st.integers(0, len(content)))] + data.draw(st.binary(max_size=4))
        requests.append((method, path, query, content))

    collect()
    end = time.monotonic() + 15
    answered: dict[int, int] = {}
    for method, path, query, content in requests:
        response = await noria.client.request(method, path, params=query, content=content)
        told = f"{method} {path} {query} {content[:500]!r} -> {response.status_code} {response.text[:300]}"
        assert response.status_code < 500, told
        if response.is_error:
            assert set(response.json()["error"]) == {"code", "message", "kept", "hint"}, told
        answered[response.status_code // 100] = answered.get(response.status_code // 100, 0) + 1
        if time.monotonic() > end:
            break
    assert answered[2] > 3
    assert answered[4] > 3
