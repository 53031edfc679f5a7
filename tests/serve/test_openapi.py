from __future__ import annotations

from openapi_spec_validator import validate

from noria.core.spans import Span
from noria.serve.openapi import field_docs
from noria.serve.rest import routes

from .conftest import Noria


async def test_the_document_is_valid_and_complete(noria: Noria) -> None:
    document = await noria.get("/api/openapi.json")
    validate(document)
    paths = {route.path_format for route in routes(noria.workspace.version).routes}
    assert set(document["paths"]) == {path for path in paths if "openapi" not in path}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["description"].endswith("."), (method, path)
            assert {"4XX", "5XX"} <= set(operation["responses"])
    for name, schema in document["components"]["schemas"].items():
        assert schema["description"], name
        for field, found in schema["properties"].items():
            assert found.get("description") or field in {"type", "event"}, (name, field)


def test_docs_of_fields() -> None:
    docs = field_docs(Span)
    assert docs["start_ns"] == "Start, nanoseconds since 1970 UTC."
    assert set(docs) == set(Span.__struct_fields__)
