"""valid_json, json_schema and the reading of answers as JSON."""

import json
import socket
import time

import pytest

from noria.core.errors import InvalidInput, NoriaError
from noria.scorers.answers import NotJson, parsed

from .subjects import judged, scorer, value

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "age": {"$ref": "#/$defs/age"}},
    "required": ["name"],
    "$defs": {"age": {"type": "integer", "minimum": 0}},
}


@pytest.mark.parametrize(
    ("text", "fenced", "found"),
    [
        ('{"a": [1, null]}', False, {"a": [1, None]}),
        (" 3 ", False, 3),
        ('```json\n{"a": 1}\n```', True, {"a": 1}),
        ("\n```\n[]\n```\n", True, []),
        ("```json  \n[]  ```", True, []),
        ("[]", True, []),
    ],
)
def test_parsed(text, fenced, found):
    assert parsed(text, fenced=fenced) == found


@pytest.mark.parametrize(
    "text", ["", "   ", "NaN", "{'a': 1}", '{"a": 1,}', "```json\n{}\n```", "{} ok", "[" * 100_000, '"\ud800"']
)
def test_what_is_not_json(text):
    with pytest.raises(NotJson):
        parsed(text, fenced=False)


@pytest.mark.parametrize("text", ["```x\n" + " " * 2_000_000, "```\n" + "``` " * 500_000 + "y", "\n" * 2_000_000 + "`"])
def test_no_answer_takes_long_to_read(text):
    # With a pattern over the whole text the first of these would take hours.
    started = time.process_time()
    with pytest.raises(NotJson):
        parsed(text, fenced=True)
    assert time.process_time() - started < 5


async def test_valid_json():
    assert await value("valid_json", "[1]") is True
    assert await value("valid_json", "[1]", form="array") is True
    assert await value("valid_json", "[1]", form="object") is False
    assert await value("valid_json", "Sure: [1]") is False
    assert await value("valid_json", "```\n[1]\n```", fenced=True) is True
    assert (await judged("valid_json", "")).reason == "The answer is empty."


async def test_a_schema_holds_or_says_where_it_does_not():
    assert await value("json_schema", '{"name": "Ada", "age": 36}', schema=PERSON) is True
    score = await judged("json_schema", '{"name": "Ada", "age": -1}', schema=PERSON)
    assert score.value is False
    assert score.reason == "At $.age: -1 is less than the minimum of 0."
    assert score.metadata == {"path": "$.age", "keyword": "minimum"}
    assert (await judged("json_schema", '{"name": "ada"}', schema=PERSON)).metadata["keyword"] == "pattern"
    assert (await judged("json_schema", "no", schema=PERSON)).reason.startswith("The answer is not JSON")
    assert await value("json_schema", '{"age": 3}', schema=PERSON) is False


async def test_nothing_is_fetched(monkeypatch):
    def no_network(*_args, **_more):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "create_connection", no_network)
    with pytest.raises(InvalidInput, match="nothing is fetched"):
        scorer("json_schema", schema={"$ref": "http://127.0.0.1:1/schema.json"})
    with pytest.raises(InvalidInput, match="nothing is fetched"):
        scorer("json_schema", schema={"properties": {"a": {"$ref": "#/$defs/absent"}}})
    inner = {"$id": "http://example.test/inner", "$ref": "#/$defs/age", "$defs": {}}
    with pytest.raises(InvalidInput, match="not in it"):
        await judged("json_schema", "1", schema={**PERSON, "type": "integer", "allOf": [inner]})


@pytest.mark.parametrize("schema", [{"type": "nothing"}, {"pattern": "("}, {"required": "name"}])
def test_wrong_schemas_are_refused(schema):
    with pytest.raises(InvalidInput, match="my_json_schema"):
        scorer("json_schema", schema=schema)


async def test_a_pattern_among_data_is_no_keyword():
    schema = {"enum": [{"$ref": "http://example.test/", "pattern": "("}]}
    assert await value("json_schema", '{"$ref": "http://example.test/", "pattern": "("}', schema=schema) is True


async def test_hostile_answers_are_failures():
    with pytest.raises(NoriaError, match="was not done"):
        await judged("json_schema", f'"{"a" * 5_000}!"', schema={"pattern": "^(?:a|aa|a?a)+$"})
    with pytest.raises(NoriaError, match="nested deeper"):
        await judged("json_schema", "[" * 500 + "]" * 500, schema={"items": {"$ref": "#"}})


@pytest.mark.parametrize(
    ("items", "unique"),
    [
        ("[]", True),
        ('[1, "1", true, [1], {"a": 1}, null]', True),
        ("[1, 1.0]", False),
        ("[0, false]", True),
        ('[{"a": 1, "b": 2}, {"b": 2.0, "a": 1}]', False),
        ("[[1, [2]], [1, [2]]]", False),
        ('{"a": 1}', True),
    ],
)
async def test_unique_items_are_told_as_json_schema_means_it(items, unique):
    assert await value("json_schema", items, schema={"uniqueItems": True}) is unique
    assert await value("json_schema", items, schema={"uniqueItems": False}) is True


async def test_many_items_are_compared_quickly():
    many = json.dumps([{"a": number} for number in range(20_000)])
    started = time.process_time()  # compared pair by pair they would take minutes
    assert await value("json_schema", many, schema={"uniqueItems": True}) is True
    assert time.process_time() - started < 10


async def test_a_number_too_large_for_its_schema_is_a_failure_of_the_scorer():
    with pytest.raises(NoriaError, match="a number too large"):
        await judged("json_schema", "9" * 400, schema={"multipleOf": 0.0001})
