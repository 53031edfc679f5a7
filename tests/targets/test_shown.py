"""What the caller's wire has no place for: refused before the call, told after it, and never left out in silence."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from noria.core.answering import answer as in_one_piece
from noria.core.errors import InvalidInput, NoriaError, Unshowable
from noria.core.events import Delta, Event, OnRecord, Raw, Sent, Started, Stopped, Used
from noria.core.folding import fold
from noria.core.messages import AudioPart, FilePart, ImagePart, Message, OtherPart, Part
from noria.core.replies import Usage
from noria.core.requests import Parameters, Request
from noria.core.spans import Span
from noria.targets.recorded import Recorded
from noria.targets.scripted import Scripted
from noria.wires import anthropic, google, openai_responses

from .clock import Numbered, Ticking
from .contract import events_until_error
from .keeping import keeping

WIRES = {wire.NAME: wire.SHOWS for wire in (anthropic, google, openai_responses)}
PNG = ImagePart(url="data:image/png;base64,iVBO")
CODE = OtherPart(data={"executableCode": {"language": "PYTHON", "code": "1"}})
SEARCH = OtherPart(data={"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}})
USED = Used(usage=Usage(input_tokens=7, output_tokens=1290))


class Recorder:
    """A recorder around a model that says what it is told to."""

    def __init__(self, *said: Event, more: dict[str, Any] | None = None) -> None:
        self.spans: list[Span] = []
        self.sent: list[Request] = []
        self._said = said
        self._more = more or {}
        self.target = Recorded(
            Scripted(self._script),
            keeping(self.spans),
            now=Ticking(),
            new_ids=Numbered(),
            price=lambda _: None,
            wires=WIRES,
        )

    async def call(
        self, wire: str, *may_drop: str, whole: bool = False
    ) -> tuple[list[Event], NoriaError | None, dict[str, Any]]:
        """What came, how it failed, and the attributes of its record."""
        request = Request(
            model="m",
            messages=(Message(role="user", content="Draw."),),
            wire=wire,
            may_drop=may_drop,
            params=Parameters(extra=self._more),
            stream=not whole,
        )
        if whole:
            events: list[Event] = []

            def hear(event: Event) -> None:
                events.append(event)

            failure: NoriaError | None = None
            try:
                answered = await in_one_piece(self.target, request, hear)
                events += [answered.kept] if answered.kept else []
            except NoriaError as error:
                failure = error
        else:
            events, failure = await events_until_error(self.target.call(request))
        return events, failure, self.spans[-1].attributes

    def _script(self, request: Request) -> tuple[Event, ...]:
        self.sent.append(request)
        return self._said


def says(*parts: Part, text: str = "Here it is.") -> tuple[Event, ...]:
    return (Started(model="m"), Delta(text=text), *(Delta(parts=(part,)) for part in parts), Stopped(), USED)


def dropped(events: list[Event]) -> tuple[str, ...]:
    [kept] = [event for event in events if isinstance(event, OnRecord)]
    return kept.dropped


@pytest.mark.parametrize("whole", [False, True])
async def test_an_answer_that_can_not_be_shown_fails_and_says_what_was_paid(whole: bool) -> None:
    recorder = Recorder(*says(PNG))
    events, failure, _ = await recorder.call("anthropic", whole=whole)
    assert isinstance(failure, Unshowable)
    assert "`image`" in failure.message
    assert "7 tokens read and 1290 written" in failure.kept
    assert "noria-may-drop: image" in failure.hint
    assert (failure.status, failure.retryable) == (400, False)
    assert not any(isinstance(event, Stopped | Used) for event in events)
    assert whole or Delta(text="Here it is.") in events, "what can be shown was not"
    [span] = recorder.spans
    assert (span.status, span.error_type, span.output_tokens) == ("error", "unshowable", 1290)
    assert PNG in span.output[0].content


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("allowed", ["image", "*"])
async def test_it_is_left_out_where_the_caller_allows_it_and_told(whole: bool, allowed: str) -> None:
    events, failure, attributes = await Recorder(*says(PNG, PNG)).call("anthropic", allowed, whole=whole)
    assert failure is None
    assert dropped(events) == ("image",)
    assert attributes["noria.dropped"] == ["image"]


@pytest.mark.parametrize("part", [PNG, AudioPart(data="AA==", format="wav"), FilePart(url="data:text/csv;base64,QQ==")])
@pytest.mark.parametrize("wire", ["", "openai_chat", "openai_responses", "google"])
async def test_other_wires_show_it(wire: str, part: Part) -> None:
    events, failure, attributes = await Recorder(*says(part)).call(wire)
    assert (failure, dropped(events), attributes.get("noria.dropped")) == (None, (), None)


@pytest.mark.parametrize(
    ("wire", "said", "names"),
    [
        ("anthropic", says(CODE), ("executableCode",)),
        ("anthropic", says(SEARCH), ()),
        ("google", says(SEARCH), ("server_tool_use",)),
        ("google", says(CODE), ()),
        ("openai_responses", says(SEARCH, CODE), ()),
        ("anthropic", (Delta(text="a", logprobs={"content": []} | {"x": [1]}), Stopped()), ("logprobs",)),
        *(
            (wire, (Delta(text="a"), Delta(index=1, text="b"), Stopped(), Stopped(index=1)), names)
            for wire, names in (("anthropic", ("n",)), ("openai_responses", ("n",)), ("google", ()))
        ),
    ],
)
async def test_what_only_goes_with_an_answer_is_left_out_without_leave_and_told(
    wire: str, said: tuple[Event, ...], names: tuple[str, ...]
) -> None:
    events, failure, attributes = await Recorder(*said).call(wire)
    assert (failure, dropped(events)) == (None, names)
    assert tuple(attributes.get("noria.dropped", ())) == names
    if names:
        _, failure, _ = await Recorder(*said).call(wire, "none")
        assert isinstance(failure, Unshowable)


async def test_a_providers_own_bytes_hold_what_they_hold() -> None:
    new = OtherPart(data={"type": "of_next_year"})
    said = (Delta(text="a"), Delta(parts=(new,)), Stopped())
    assert fold(said).choices
    events, failure, _ = await Recorder(Raw(wire="anthropic", data=b"x", events=said)).call("anthropic")
    assert (failure, dropped(events)) == (None, ())
    whole = Raw(wire="anthropic", data=b"x", events=said, whole=fold(said))
    events, failure, _ = await Recorder(whole).call("anthropic", whole=True)
    assert (failure, dropped(events)) == (None, ())


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    "more",
    [
        {"modalities": ["text", "image"]},
        {"modalities": ["text", "audio"], "audio": {"voice": "alloy"}},
        {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}},
        {"tools": [{"type": "image_generation"}]},
    ],
)
async def test_what_is_known_before_the_call_is_refused_before_it(whole: bool, more: dict[str, Any]) -> None:
    recorder = Recorder(*says(PNG), more=more)
    events, failure, _ = await recorder.call("anthropic", whole=whole)
    assert isinstance(failure, InvalidInput)
    assert failure.kept == "Nothing was sent."
    assert not any(isinstance(event, Started | Delta) for event in events)
    [span] = recorder.spans
    assert (span.status, span.error_type) == ("error", "invalid_input")
    for wire, allowed in (("google", ()), ("anthropic", ("*",))):
        events, failure, _ = await recorder.call(wire, *allowed, whole=whole)
        assert failure is None


async def test_what_was_left_out_of_the_request_stays_on_the_record() -> None:
    sent = Sent(request=Request(model="m"), provider="p", dropped=("seed",))
    _, _, attributes = await Recorder(msgspec.structs.replace(sent), *says(CODE)).call("anthropic")
    assert attributes["noria.dropped"] == ["seed", "executableCode"]
