import json
import math
import subprocess
import sys
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.apps import Variant
from noria.core.errors import InvalidInput
from noria.core.experiments import ExperimentSpec
from noria.core.identity import canonical, content_id
from noria.core.messages import BlobPart, Citation, ImagePart, Message, OtherPart, TextPart
from noria.core.models import EngineOptions
from noria.core.prompts import Block, Prompt, Variable
from noria.core.requests import Lineage, Parameters, Request, ToEmbed, Tool, request_id

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_canonical_form_is_json_that_means_the_same(value: object) -> None:
    assert json.loads(canonical(value)) == value


@given(st.dictionaries(st.text(), JSON, min_size=2, max_size=5))
def test_the_order_of_keys_does_not_matter(value: dict[str, object]) -> None:
    assert content_id("x", dict(reversed(list(value.items())))) == content_id("x", value)


def test_whole_floats_and_integers_are_one_content() -> None:
    assert content_id("x", {"temperature": 0.0}) == content_id("x", {"temperature": 0})
    assert content_id("x", 0.5) != content_id("x", 0)


def test_the_kind_is_part_of_the_id() -> None:
    assert content_id("a", 1).removeprefix("a_") != content_id("b", 1).removeprefix("b_")


@pytest.mark.parametrize("value", [math.inf])
def test_what_json_cannot_say_has_no_id(value: float) -> None:
    with pytest.raises(InvalidInput, match="not a finite number"):
        content_id("x", [value])


def test_ids_are_pinned() -> None:
    """These ids are in people's records. A change here orphans them: it needs a migration, not a new number."""
    prompt = Prompt(blocks=(Block(role="user", template="Sort: {{ text }}"),), variables={"text": Variable()})
    variant = Variant(model="local/smollm2-135m", prompt_id=prompt.id, params=Parameters(temperature=0, max_tokens=8))
    assert prompt.id == "prompt_6abc5aa812acda1e1ffb725deab07dcb"
    assert variant.id == "variant_16195f3b31a311aee16d93a179180a0e"


@pytest.mark.parametrize(
    ("spelled_out", "kind"),
    [
        ('{"context": 4096, "slots": 4, "threads": null, "kv_cache": "f16", "batch": 2048}', EngineOptions),
        ('{"model": "a/b", "model_id": null, "prompt_id": null, "params": {"stop": [], "extra": {}}}', Variant),
        ('{"blocks": [], "variables": {}, "examples": []}', Prompt),
        (
            (
                '{"name": "x", "dataset_id": "d", "variants": [], "scorers": [], "baseline": "b",'
                ' "repeats": 1, "cache": true, "gates": [], "alpha": 0.05, "limit": null}'
            ),
            ExperimentSpec,
        ),
    ],
)
def test_a_default_that_is_written_out_changes_no_id(spelled_out: str, kind: type[msgspec.Struct]) -> None:
    given = json.loads(spelled_out)
    required = {field.name for field in msgspec.structs.fields(kind) if field.required}
    short = msgspec.convert({name: value for name, value in given.items() if name in required}, kind)
    assert content_id("x", msgspec.json.decode(spelled_out, type=kind)) == content_id("x", short)


def test_a_default_inside_other_content_changes_no_id() -> None:
    message = Message(role="user", content=(TextPart(text="hi"),))
    named = msgspec.json.decode(
        b'{"role": "user", "content": [{"type": "text", "text": "hi"}], "reasoning": "", "tool_calls": []}',
        type=Message,
    )
    assert canonical({"messages": (message,)}) == canonical({"messages": (named,)})
    assert b'"type":"text"' in canonical(message)


def test_ids_are_the_same_in_another_process() -> None:
    code = (
        "from noria.core.prompts import Prompt, Block;"
        "print(Prompt(blocks=(Block(role='user', template='é'),), examples=({'b': 1, 'a': 2},)).id)"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


def test_request_id_covers_what_decides_the_answer() -> None:
    base = Request(model="local/a", lineage=Lineage(model_id="model_1"))
    same = Request(model="local/renamed", lineage=Lineage(model_id="model_1", case_id="7", user_id="ann"))
    assert request_id(base) == request_id(same)
    for other in (
        Request(model="local/a", lineage=Lineage(model_id="model_2")),
        Request(model="local/a", lineage=Lineage(model_id="model_1", repeat=1)),
        Request(model="local/a", lineage=Lineage(model_id="model_1"), params=Parameters(seed=1)),
        Request(model="local/a"),
        Request(model="local/a", lineage=Lineage(model_id="model_1"), tools=(Tool(name="f"),)),
        Request(model="local/a", lineage=Lineage(model_id="model_1"), tool_choice="none"),
        Request(model="local/a", lineage=Lineage(model_id="model_1"), n=2),
        Request(model="local/a", lineage=Lineage(model_id="model_1"), params=Parameters(extra={"top_k": 1})),
        Request(model="local/a", lineage=Lineage(model_id="model_1"), params=Parameters(response_schema={})),
    ):
        assert request_id(other) != request_id(base)


def test_a_remote_model_is_known_by_its_server_too() -> None:
    remote, local = Request(model="vllm/a"), Request(model="local/a", lineage=Lineage(model_id="model_1"))
    assert request_id(remote, server="http://one/v1") != request_id(remote, server="http://two/v1")
    assert request_id(local, server="http://127.0.0.1:41234/v1") == request_id(local)


ANYTHING = st.just({}) | st.dictionaries(st.text(), JSON, max_size=3)
PARTS = (
    st.builds(TextPart, text=st.text(), citations=st.just(()) | st.builds(Citation, data=ANYTHING).map(lambda c: (c,)))
    | st.builds(ImagePart, url=st.text())
    | st.builds(BlobPart, sha256=st.text(), bytes=st.integers(0, 9))
    | st.builds(OtherPart, data=ANYTHING)
)
TEXTS = st.text() | st.sampled_from(["1.0,", "3e8", ":null,", '"null"'])
REQUESTS = st.builds(
    Request,
    model=st.just("p/m"),
    messages=st.lists(
        st.builds(
            Message,
            role=st.just("user"),
            content=TEXTS | st.lists(PARTS, max_size=2).map(tuple),
            unread=ANYTHING,
        ),
        max_size=3,
    ).map(tuple),
    params=st.builds(
        Parameters,
        temperature=st.none()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.integers(-2, 2).map(float)
        | st.sampled_from([1e-7, 1e16]),
        seed=st.none() | st.integers(),
        extra=ANYTHING,
        response_schema=st.none() | ANYTHING,
    ),
    tools=st.just(()) | st.builds(Tool, name=TEXTS, parameters=ANYTHING, hosted=ANYTHING).map(lambda tool: (tool,)),
    tool_choice=st.none() | TEXTS | ANYTHING,
    embed=st.none() | st.builds(ToEmbed, inputs=st.lists(TEXTS, max_size=2).map(tuple)),
    unread=ANYTHING,
    headers=st.just({}) | st.dictionaries(st.text(), TEXTS, max_size=2),
)


@given(REQUESTS)
def test_the_quick_way_to_an_id_is_the_same_way(request: Request) -> None:
    parts = {name: getattr(request, name) for name in ("model", "messages", "params", "tools", "tool_choice", "n")}
    rare = {name: value for name in ("embed", "unread", "headers") if (value := getattr(request, name))}
    assert request_id(request) == content_id("request", parts | {"repeat": 0} | rare)


def structs_in(kind: Any) -> set[type[msgspec.Struct]]:
    found: set[type[msgspec.Struct]] = set()
    waiting = [kind]
    while waiting:
        kind = waiting.pop()
        waiting += get_args(kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind not in found:
            found.add(kind)
            waiting += get_type_hints(kind).values()
    return found


def test_no_part_of_a_request_has_a_default_that_can_be_equal_and_another() -> None:
    """``is_alike`` trusts in it: msgspec leaves a default out only where it is the same object."""
    hints = get_type_hints(Request)
    asked = ("messages", "params", "tools", "tool_choice", "embed", "rank", "unread", "headers")
    kinds = set().union(*(structs_in(hints[name]) for name in asked)) - {BlobPart}
    assert Message in kinds
    assert Parameters in kinds
    with pytest.raises(InvalidInput, match="not a finite number"):
        request_id(Request(model="m", params=Parameters(temperature=math.nan)))
    for kind in kinds:
        for field in msgspec.structs.fields(kind):
            assert field.default in (msgspec.NODEFAULT, None, True, False, 0, 1, -1, "", ()), (
                f"{kind.__name__}.{field.name}"
            )
