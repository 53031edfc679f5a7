"""JSON Schema, and the subset of OpenAPI's that Google asks for beside it.

Source: https://ai.google.dev/api/caching#Schema and https://ai.google.dev/gemini-api/docs/structured-output
"""

from __future__ import annotations

from typing import Any

from noria.wires.google.spelling import camel

_NUMBERS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
"""64-bit integers, which protocol buffers write as text in JSON."""
_UNHELD = frozenset(
    {
        *("pattern", "minLength", "maxLength", "multipleOf", "exclusiveMinimum", "exclusiveMaximum", "uniqueItems"),
        *("contains", "minContains", "maxContains", "minProperties", "maxProperties", "patternProperties", "not"),
        *("propertyNames", "dependentRequired", "dependentSchemas", "dependencies", "allOf", "if", "then", "else"),
        *("unevaluatedItems", "unevaluatedProperties", "const"),
    }
)
"""Keywords that bind an answer, and that Google reads over."""
_OF_ONE = ("items", "additionalProperties")
_OF_MANY = ("anyOf", "oneOf", "prefixItems")
_OF_NAMED = ("properties", "$defs", "definitions")


def json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI's subset as JSON Schema: types in lower case, ``nullable`` as a type, the order of properties as their order."""
    schema = camel(schema)
    out = {name: value for name, value in schema.items() if name not in {"nullable", "propertyOrdering", "example"}}
    if isinstance(kind := out.get("type"), str):
        out["type"] = kind.lower()
    if out.get("format") == "enum":
        del out["format"]
    if "example" in schema:
        out["examples"] = [schema["example"]]
    for name in _NUMBERS:
        if isinstance(text := out.get(name), str) and text.isdecimal():
            out[name] = int(text)
    if isinstance(inner := out.get("items"), dict):
        out["items"] = json_schema(inner)
    for name in _OF_MANY:
        if isinstance(many := out.get(name), list):
            out[name] = [json_schema(one) if isinstance(one, dict) else one for one in many]
    if isinstance(named := out.get("properties"), dict):
        out["properties"] = _ordered(named, schema.get("propertyOrdering"))
    return _nullable(out) if schema.get("nullable") is True else out


def unheld(schema: Any) -> bool:
    """Whether the schema says something about the answer that Google does not hold it to."""
    if not isinstance(schema, dict):
        return False
    inner = [schema.get(name) for name in _OF_ONE]
    for name in _OF_MANY:
        many = schema.get(name)
        inner += many if isinstance(many, list) else ()
    for name in _OF_NAMED:
        named = schema.get(name)
        inner += named.values() if isinstance(named, dict) else ()
    return not _UNHELD.isdisjoint(schema) or any(unheld(one) for one in inner)


def _ordered(named: dict[str, Any], order: Any) -> dict[str, Any]:
    first = [name for name in order if isinstance(name, str) and name in named] if isinstance(order, list) else []
    names = dict.fromkeys([*first, *named])
    return {name: json_schema(one) if isinstance(one := named[name], dict) else one for name in names}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(kind := schema.get("type"), str):
        changed: dict[str, Any] = {"type": [kind, "null"]}
        if isinstance(values := schema.get("enum"), list) and None not in values:
            changed["enum"] = [*values, None]
        return schema | changed
    if isinstance(many := schema.get("anyOf"), list):
        return schema | {"anyOf": [*many, {"type": "null"}]}
    return {"anyOf": [schema, {"type": "null"}]}
