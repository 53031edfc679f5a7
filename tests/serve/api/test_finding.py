"""Lists of spans: narrowed by parameters, paged by their Link header; sessions and users beside them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import InvalidInput
from noria.core.messages import Message
from noria.core.questions import Filter, ScoreFilter
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Span
from noria.serve.api.conditions import column_condition, score_condition
from noria.serve.times import moment
from serve.conftest import Noria

NOW = 1_795_435_200 * 10**9  # 2026-11-23T12:00:00Z
HOUR = 3600 * 10**9


def span(number: int, *, trace: int | None = None, **changes: Any) -> Span:
    fields: dict[str, Any] = {
        "trace_id": f"{trace or number:032x}",
        "span_id": f"{number:016x}",
        "name": f"step {number}",
        "start_ns": NOW + number * HOUR,
        "end_ns": NOW + number * HOUR + number * 10**9,
    }
    return Span(**(fields | changes))


def lineage(app: str, session: str | None = None, user: str | None = None) -> Lineage:
    return Lineage(app=app, session_id=session, user_id=user)


RECORDS = [
    span(1, trace=1, operation="invoke_agent", input_tokens=30, cost_usd=0.3, lineage=lineage("a", "s1", "ada")),
    span(2, trace=1, parent_id=f"{1:016x}", request_model="m", input_tokens=10, cost_usd=0.1, lineage=lineage("a", "s1", "ada")),
    span(3, trace=1, parent_id=f"{1:016x}", request_model="m", input_tokens=20, cost_usd=0.2, lineage=lineage("a", "s1", "ada"), status="error", error_message="No such river."),
    span(4, request_model="n", lineage=lineage("b", "s2", "ada"), input=(Message(role="user", content="A water wheel?"),)),
    span(5, response_model="m", lineage=lineage("b", None, "bob/2"), attributes={"tier": "gold", "n": 3}),
]  # fmt: skip
SCORES = [
    Score(scorer="correct", version="1", value=0.25, trace_id=f"{4:032x}", span_id=f"{4:016x}", time_ns=NOW),
    Score(scorer="correct", version="1", value=0.75, trace_id=f"{5:032x}", span_id=f"{5:016x}", time_ns=NOW),
]

FOUND = [
    ({}, "54321"),
    ({"app": "a"}, "321"),
    ({"app": ""}, "54321"),
    ({"model": "m"}, "532"),
    ({"status": "error"}, "3"),
    ({"operation": "invoke_agent"}, "1"),
    ({"session": "s1"}, "321"),
    ({"user": "ada"}, "4321"),
    ({"user": "bob/2"}, "5"),
    ({"roots": "true"}, "541"),
    ({"text": "WATER wheel"}, "4"),
    ({"text": '"wheel water"'}, ""),
    ({"text": "river", "app": "b"}, ""),
    ({"since": "2026-11-23T15:00Z"}, "543"),
    ({"since": "2026-11-23T15:00Z", "until": str(NOW + 5 * HOUR)}, "43"),
    ({"where": "duration_s>2"}, "543"),
    ({"where": ["duration_s>2", "attributes.tier=gold"]}, "5"),
    ({"where": "attributes.n = 3"}, "5"),
    ({"where": 'attributes.n="3"'}, ""),
    ({"where": "session_id=null"}, "5"),
    ({"where": "error_message~such"}, "3"),
    ({"score": "correct"}, "54"),
    ({"score": "!correct"}, "321"),
    ({"score": "correct<0.5"}, "4"),
    ({"score": ["correct>0.1", "correct<=0.25"]}, "4"),
    ({"limit": 2}, "54"),
]
"""Parameters, and the spans that they find."""

REFUSED = [
    ({"where": "duration_s"}, "is no condition"),
    ({"where": "duration_s>slow"}, "holds numbers"),
    ({"where": "nothing=1"}, "no column"),
    ({"score": "!"}, "names a scorer"),
    ({"text": "…"}, "no word"),
    ({"since": "yesterday"}, "'yesterday' is no time"),
    ({"status": "fine"}, "status"),
    ({"cursor": "x"}, "damaged"),
    ({"limit": "0"}, "limit"),
]


@pytest.fixture
async def filled(noria: Noria) -> Noria:
    await noria.workspace.traces.append(RECORDS, SCORES)
    return noria


async def test_parameters_narrow_the_list(filled: Noria) -> None:
    found = [
        "".join(item["name"].removeprefix("step ") for item in await filled.get("/api/traces", **query))
        for query, _ in FOUND
    ]
    assert found == [expected for _, expected in FOUND]


async def test_a_parameter_that_makes_no_sense_is_refused_with_a_sentence(filled: Noria) -> None:
    for query, said in REFUSED:
        response = await filled.client.get("/api/traces", params=query)
        assert response.status_code == 400, query
        assert said in response.json()["error"]["message"]


async def test_the_link_header_leads_through_all_pages(filled: Noria) -> None:
    seen, at = [], "/api/traces?app=a&limit=2&where=duration_s%3E0"
    while at:
        response = await filled.client.get(at)
        seen.append([item["name"] for item in response.json()])
        link = re.fullmatch(r'<(/api/traces\?[^>]+)>; rel="next"', response.headers.get("link", ""))
        at = link[1] if link else ""
    assert seen == [["step 3", "step 2"], ["step 1"]]
    cursor = re.findall(r"cursor=([^&>]+)", (await filled.client.get("/api/traces?limit=1")).headers["link"])[0]
    other = await filled.client.get(f"/api/traces?app=b&cursor={cursor}")
    assert other.status_code == 400
    assert "another question" in other.json()["error"]["message"]


async def test_sessions_and_users_are_added_up(filled: Noria) -> None:
    second, first = await filled.get("/api/sessions")
    assert first == {
        "id": "s1", "spans": 3, "traces": 1, "sessions": 1, "failed": 1, "input_tokens": 30, "output_tokens": None,
        "cost_usd": pytest.approx(0.3), "first_ns": NOW + HOUR, "last_ns": NOW + 3 * HOUR,
    }  # fmt: skip
    assert (second["id"], second["cost_usd"]) == ("s2", None)
    assert [item["id"] for item in await filled.get("/api/sessions", limit=1, offset=1)] == ["s1"]
    assert [item["id"] for item in await filled.get("/api/sessions", status="error")] == ["s1"]
    users = await filled.get("/api/users")
    assert [(item["id"], item["sessions"], item["traces"]) for item in users] == [("bob/2", 0, 1), ("ada", 2, 2)]
    assert await filled.get("/api/users", app="none") == []


async def test_steps_that_name_nobody_belong_to_whom_their_trace_names(noria: Noria) -> None:
    def root(number: int, session: str | None, user: str | None, **changes: Any) -> Span:
        named = Lineage(app="a", session_id=session, user_id=user)
        return span(number, lineage=named, input_tokens=None, cost_usd=None, **changes)

    call = {"trace": 1, "lineage": Lineage(app="a"), "parent_id": f"{1:016x}"}
    await noria.workspace.traces.append(
        [
            root(1, "s1", "ann", operation="invoke_agent"),
            span(2, **call, input_tokens=100, output_tokens=20, cost_usd=0.25),
            span(3, **call, input_tokens=50, output_tokens=None, cost_usd=None, status="error"),
            root(4, "s2", "bob"),
            root(5, "s3", "bob", trace=4),
            span(6, trace=4, lineage=Lineage(app="a"), input_tokens=7),  # of a trace of two sessions: of neither
        ]
    )
    found = {one["id"]: one for one in await noria.get("/api/sessions")}
    first = found["s1"]
    assert (first["spans"], first["failed"], first["traces"]) == (3, 1, 1)
    assert (first["input_tokens"], first["output_tokens"], first["cost_usd"]) == (150, 20, pytest.approx(0.25))
    assert (found["s2"]["spans"], found["s2"]["input_tokens"]) == (1, None)
    [ann] = [one for one in await noria.get("/api/users") if one["id"] == "ann"]
    assert (ann["spans"], ann["input_tokens"]) == (3, 150)
    [bob] = [one for one in await noria.get("/api/users") if one["id"] == "bob"]
    assert (bob["spans"], bob["input_tokens"]) == (3, 7)
    [trace] = await noria.get("/api/sessions/s1")
    assert (trace["spans"], trace["input_tokens"], trace["output_tokens"]) == (3, 150, 20)
    assert [one["spans"] for one in await noria.get("/api/sessions", status="error")] == []


async def test_the_traces_of_a_session(filled: Noria) -> None:
    [trace] = await filled.get("/api/sessions/s1")
    assert (trace["id"], trace["spans"], trace["failed"]) == (f"{1:032x}", 3, 1)
    missing = await filled.client.get("/api/sessions/no/body")
    assert missing.status_code == 404
    assert "no session 'no/body'" in missing.json()["error"]["message"]


async def test_sessions_have_any_name(noria: Noria) -> None:
    names = ["a/b", "ü ö", "%41", "a?b", "..x"]
    made = [span(number, lineage=lineage("a", name)) for number, name in enumerate(names, 1)]
    await noria.workspace.traces.append(made)
    for number, name in enumerate(names, 1):
        [trace] = await noria.get(f"/api/sessions/{quote(name, safe='')}")
        assert trace["id"] == f"{number:032x}"


async def test_calls_are_counted_by_hour_and_model(filled: Noria) -> None:
    found = await filled.get("/api/traces/stats")
    assert [(item["group"], item["time_ns"], item["calls"], item["failed"]) for item in found] == [
        ("m", NOW + 5 * HOUR, 1, 0),
        ("n", NOW + 4 * HOUR, 1, 0),
        ("m", NOW + 3 * HOUR, 1, 1),
        ("m", NOW + 2 * HOUR, 1, 0),
    ]
    assert found[0]["duration_p95_s"] == pytest.approx(5, rel=0.011)
    assert found[0]["ttft_p50_s"] is None
    [m, n] = await filled.get("/api/traces/stats", bucket="all")
    assert (m["group"], m["time_ns"], m["calls"], m["cost_usd"]) == ("m", None, 3, pytest.approx(0.3))
    assert n["group"] == "n"
    by_app = await filled.get("/api/traces/stats", bucket="day", by="app", since="2026-11-23T15:00Z")
    assert [(item["group"], item["calls"]) for item in by_app] == [("b", 2), ("a", 1)]
    assert (await filled.client.get("/api/traces/stats?by=name")).status_code == 400


# -- what people write


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a=1", Filter(column="a", op="=", value=1)),
        (" attributes.a b  !=  x y ", Filter(column="attributes.a b", op="!=", value="x y")),
        ("a>=-2.5", Filter(column="a", op=">=", value=-2.5)),
        ("a=true", Filter(column="a", op="=", value=True)),
        ('a="true"', Filter(column="a", op="=", value="true")),
        ("a=null", Filter(column="a", op="=", value=None)),
        ("a=2026-11-23", Filter(column="a", op="=", value="2026-11-23")),
        ("a=b=c", Filter(column="a", op="=", value="b=c")),
        ("a~1", Filter(column="a", op="contains", value="1")),
        ("a=", Filter(column="a", op="=", value="")),
    ],
)
def test_conditions_on_columns(written: str, meant: Filter) -> None:
    assert column_condition(written) == meant


def test_conditions_on_scores() -> None:
    assert score_condition("tone=rude") == ScoreFilter(scorer="tone", op="=", value="rude")
    assert score_condition(" tone ") == ScoreFilter(scorer="tone")
    assert score_condition("!tone") == ScoreFilter(scorer="tone", op="is null")


@given(st.text(max_size=12) | st.text(st.sampled_from('a=!<>~" 1.{['), max_size=9))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    for parse in (column_condition, score_condition):
        try:
            parse(text)
        except InvalidInput as error:
            assert str(error)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0s", NOW),
        ("90m", NOW - 90 * 60 * 10**9),
        ("2d", NOW - 48 * HOUR),
        ("999999999w", 0),
        ("2026-11-23", NOW - 12 * HOUR),
        ("2026-11-23T13:00+01:00", NOW),
        ("2026-11-23T12:00:00.5Z", NOW + 10**9 // 2),
        (str(NOW + 1), NOW + 1),
    ],
)
def test_times(written: str, meant: int) -> None:
    assert moment(written, NOW) == meant


@given(st.text(max_size=12) | st.text(st.sampled_from("0123456789-:TZ+hd"), max_size=25))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        assert moment(text, NOW) >= 0
    except InvalidInput as error:
        assert str(error)
