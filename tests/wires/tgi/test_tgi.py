"""Text Generation Inference's own endpoints, and Text Embeddings Inference; ``huggingface_hub``'s types are the judge."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from huggingface_hub import TextGenerationOutput, TextGenerationStreamOutput
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.core.errors import CallCut, CallFailed, CallRefused, InvalidInput
from noria.core.events import Event
from noria.core.folding import fold
from noria.core.messages import ImagePart, Message, TextPart, ToolCall
from noria.core.replies import Ranked
from noria.core.requests import Parameters, Reasoning, Request, ToEmbed, Tool, ToRank
from noria.wires.tgi import StreamDecoder, Tei, Tgi
from noria.wires.wire import Encoded
from wires.recordings import features, recorded

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
HI = (Message(role="user", content="hi"),)
STREAMED = [name for name in features("tgi", "sse") if name != "error"]


def ask(name: str = "") -> Request:
    params = {"stop": Parameters(stop=("END", "\n\n")), "logprobs": Parameters(logprobs=2)}
    return Request(model="tgi/x", messages=HI, params=params.get(name, Parameters()))


def whole(name: str) -> Any:
    return Tgi().decode_reply(recorded(f"tgi/{name}.json"), ask(name))


def streamed(name: str, *pieces: bytes) -> list[Event]:
    decoder = Tgi().decoder(ask(name))
    events: list[Event] = [event for piece in pieces for event in decoder.feed(piece)]
    decoder.close()
    return events


def sent(request: Request, wire: Tgi | None = None, *, stream: bool = False) -> tuple[dict[str, Any], Encoded]:
    encoded = (wire or Tgi()).encode(request, stream=stream, model="x")
    return json.loads(encoded.body), encoded


@pytest.mark.parametrize("name", STREAMED)
def test_recorded_replies_are_what_the_hubs_client_expects(name: str) -> None:
    seen = TextGenerationOutput.parse_obj_as_instance(json.loads(recorded(f"tgi/{name}.json")))
    assert seen.details is not None
    for line in recorded(f"tgi/{name}.sse").decode().splitlines():
        if line:
            TextGenerationStreamOutput.parse_obj_as_instance(json.loads(line.removeprefix("data:")))


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_means_what_the_whole_reply_means_and_counts_the_prompt_too(name: str) -> None:
    stream = recorded(f"tgi/{name}.sse")
    reply = fold(streamed(name, stream))
    assert reply.choices == whole(name).choices
    assert reply.usage is not None
    assert reply.usage.input_tokens == 12
    assert whole(name).usage is None  # nobody counted the prompt
    assert streamed(name, *(stream[i : i + 1] for i in range(len(stream)))) == streamed(name, stream)


@settings(max_examples=50)
@given(st.sampled_from(STREAMED), st.data())
def test_every_split_of_the_bytes_means_the_same(name: str, draw: st.DataObject) -> None:
    stream = recorded(f"tgi/{name}.sse")
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = (stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True))
    assert streamed(name, *pieces) == streamed(name, stream)


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_that_ends_early_is_cut(name: str) -> None:
    stream = recorded(f"tgi/{name}.sse")
    for end in (0, 20, len(stream) - 2):
        with pytest.raises(CallCut):
            streamed(name, stream[:end])


def test_a_stream_that_begins_again_fails() -> None:
    first, _, rest = recorded("tgi/text.sse").partition(b"\n\n")
    with pytest.raises(CallFailed, match="began again"):
        streamed("text", first + b"\n\n", first + b"\n\n", rest)


def test_a_stop_sequence_is_no_part_of_the_answer_though_it_came_in_pieces() -> None:
    [choice] = whole("stop").choices
    assert (choice.message.text, choice.finish_reason, choice.sequence) == ("One two ", "stop", "END")


@given(st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=6), st.sampled_from(["ab", "aab", "bbb"]))
def test_text_waits_only_as_long_as_it_may_be_a_stop_sequence(pieces: list[str], stop: str) -> None:
    events = [{"index": i, "token": {"text": piece, "id": 1}} for i, piece in enumerate(pieces)]
    said = "".join(pieces)
    ends = said.endswith(stop)
    events[-1]["details"] = {"finish_reason": "stop_sequence" if ends else "length", "generated_tokens": 1}
    decoder = StreamDecoder(Request(model="m", params=Parameters(stop=(stop,))))
    reply = fold(list(decoder.feed(b"".join(b"data:" + json.dumps(event).encode() + b"\n\n" for event in events))))
    assert reply.text == (said.removesuffix(stop) if ends else said)


def test_log_probabilities_have_their_alternatives() -> None:
    tokens = whole("logprobs").choices[0].logprobs["content"]
    assert [(token["token"], token["logprob"]) for token in tokens] == [("Yes", -0.25), (" sir", -1.5)]
    assert [other["token"] for other in tokens[0]["top_logprobs"]] == ["Yes", "No"]


def test_an_error_in_the_stream_and_one_before_it() -> None:
    with pytest.raises(CallFailed, match="CUDA out of memory") as failure:
        streamed("error", recorded("tgi/error.sse"))
    assert failure.value.retryable
    refusal = Tgi().decode_error(422, {}, recorded("tgi/error.json"))
    assert isinstance(refusal, CallRefused)
    assert "less than 4096 tokens" in str(refusal)


def test_a_single_user_message_is_sent_as_it_is() -> None:
    body, encoded = sent(Request(model="m", messages=(Message(role="user", content=(TextPart(text="Once "),)),)))
    assert encoded.path == "/generate"
    assert body == {"inputs": "Once ", "parameters": {"details": True, "return_full_text": False}}
    assert sent(ask(), stream=True)[1].path == "/generate_stream"


def test_a_conversation_needs_a_template() -> None:
    talk = Request(model="m", messages=(Message(role="developer", content="Be brief."), *HI))
    with pytest.raises(InvalidInput, match="without a `chat_template` only a single user message"):
        sent(talk)
    body, _ = sent(talk, Tgi(template=CHATML))
    assert body["inputs"] == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize(
    "template", ["{{ raise_exception('No system role') }}", "{% for x in range(10000000) %}{{ x }}{% endfor %}"]
)
def test_a_template_that_fails_or_never_ends_is_an_error(template: str) -> None:
    with pytest.raises(InvalidInput, match="can't render this conversation"):
        sent(ask(), Tgi(template=template))


def test_parameters_in_tgis_words() -> None:
    params = Parameters(
        temperature=0.5, top_p=0.9, top_k=5, max_tokens=7, stop=("x",), seed=1, frequency_penalty=0.5, logprobs=2,
        response_schema={"type": "object"}, extra={"typical_p": 0.9},
    )  # fmt: skip
    body, encoded = sent(Request(model="m", messages=HI, params=params))
    assert body["parameters"] == {
        "typical_p": 0.9, "do_sample": True, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "max_new_tokens": 7,
        "stop": ["x"], "seed": 1, "frequency_penalty": 0.5, "grammar": {"type": "json", "value": {"type": "object"}},
        "top_n_tokens": 2, "details": True, "return_full_text": False,
    }  # fmt: skip
    assert encoded.emulated == ()
    greedy, _ = sent(Request(model="m", messages=HI, params=Parameters(temperature=0.0, top_p=1.0)))
    assert greedy["parameters"] == {"do_sample": False, "details": True, "return_full_text": False}


def test_any_json_object_is_asked_for_in_words() -> None:
    wanted = Request(model="m", messages=HI, params=Parameters(response_json=True))
    body, encoded = sent(wanted, Tgi(template=CHATML))
    assert encoded.emulated == ("response_json",)
    assert "one JSON object" in body["inputs"]
    body, _ = sent(wanted)
    assert body["inputs"].startswith("hi\n\nAnswer with one JSON object")


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("n", Request(model="m", messages=HI, n=2)),
        ("tools", Request(model="m", messages=HI, tools=(Tool(name="f"),))),
        ("presence_penalty", Request(model="m", messages=HI, params=Parameters(presence_penalty=0.5))),
        ("reasoning", Request(model="m", messages=HI, params=Parameters(reasoning=Reasoning(effort="high")))),
        ("image", Request(model="m", messages=(Message(role="user", content=(ImagePart(url="https://x"),)),))),
        ("cache", Request(model="m", messages=(Message(role="user", content=(TextPart(text="x", cache="5m"),)),))),
        ("name", Request(model="m", messages=(Message(role="user", content="x", name="Ada"),))),
        ("user_tier", Request(model="m", messages=HI, wire="openai_chat", unread={"user_tier": 1})),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name_or_left_out_where_allowed(name: str, request_: Request) -> None:
    with pytest.raises(InvalidInput, match=f"`{name}` can't be carried to TGI"):
        sent(request_)
    _, encoded = sent(msgspec.structs.replace(request_, may_drop=(name,)))
    assert encoded.dropped == (name,)


def test_earlier_thinking_is_left_out_and_told() -> None:
    _, encoded = sent(Request(model="m", messages=(Message(role="user", content="x", reasoning="hm"),)))
    assert encoded.dropped == ("thinking",)


def test_tool_calls_of_the_past_need_tools() -> None:
    past = Message(role="assistant", tool_calls=(ToolCall(id="c", name="f", arguments="{}"),))
    with pytest.raises(InvalidInput, match="`tools` can't be carried"):
        sent(Request(model="m", messages=(*HI, past)), Tgi(template=CHATML))


@given(st.binary(max_size=60))
def test_bytes_of_any_kind_are_refused_and_nothing_else(body: bytes) -> None:
    with pytest.raises(CallFailed):
        Tgi().decode_reply(body, ask())
    with pytest.raises(CallFailed):
        streamed("", b"data: " + body + b"\n\n")


@settings(max_examples=50)
@given(st.sampled_from(STREAMED), st.sampled_from(["generated_text", "details", "error", "token"]), st.data())
def test_a_reply_with_anything_anywhere_is_read_or_refused(name: str, field: str, draw: st.DataObject) -> None:
    anything = (
        st.none() | st.integers() | st.text(max_size=3) | st.just({"finish_reason": "new", "tokens": [{"text": ""}]})
    )
    reply = json.loads(recorded(f"tgi/{name}.json")) | {field: draw.draw(anything)}
    with contextlib.suppress(CallFailed):
        Tgi().decode_reply(json.dumps(reply).encode(), ask(name))
    with contextlib.suppress(CallFailed):
        streamed(name, b"data:" + json.dumps(reply).encode() + b"\n\n")


def test_texts_are_embedded_and_ranked() -> None:
    embed = Request(model="m", embed=ToEmbed(inputs=("a", "b"), dimensions=2))
    encoded = Tei().encode(embed, stream=False, model="m")
    assert (encoded.path, json.loads(encoded.body)) == ("/embed", {"inputs": ["a", "b"], "dimensions": 2})
    assert Tei().decode_reply(b"[[0.5,1],[0,-1]]", embed).vectors == ((0.5, 1.0), (0.0, -1.0))
    with pytest.raises(CallCut):
        Tei().decode_reply(b"[[0.5,1]]", embed)
    rank = Request(model="m", rank=ToRank(query="q", documents=("a", "b"), most=1))
    encoded = Tei().encode(rank, stream=False, model="m")
    assert (encoded.path, json.loads(encoded.body)) == ("/rerank", {"query": "q", "texts": ["a", "b"]})
    ranked = Tei().decode_reply(b'[{"index":1,"score":0.9},{"index":0,"score":0.1}]', rank)
    assert ranked.ranking == (Ranked(index=1, score=0.9),)
    with pytest.raises(CallFailed, match="did not rank"):
        Tei().decode_reply(b'[{"index":1,"score":0.9},{"index":1,"score":0.1}]', rank)
    with pytest.raises(CallFailed):
        Tei().decode_reply(b"{}", rank)


def test_each_server_says_what_it_is_for() -> None:
    with pytest.raises(InvalidInput, match="no conversation"):
        Tei().encode(ask(), stream=False, model="m")
    with pytest.raises(InvalidInput, match="kind tei"):
        Tgi().encode(Request(model="m", embed=ToEmbed(inputs=("a",))), stream=False, model="m")
