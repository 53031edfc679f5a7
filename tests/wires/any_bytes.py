"""Every codec in both directions, fed with any bytes: what is wrong is refused in the codec's own way, and nothing else."""

from __future__ import annotations

from noria.core.errors import CallFailed, InvalidInput, NoriaError
from noria.core.events import Content, Raw
from noria.core.folding import fold
from noria.core.messages import Message
from noria.core.requests import Parameters, Request, ToEmbed, ToRank
from noria.wires import anthropic, cohere, google, openai_chat, openai_responses
from noria.wires.bedrock import Bedrock
from noria.wires.tgi import Tei, Tgi
from noria.wires.wire import Answer, Incoming, WireIn, WireOut

INS: tuple[WireIn, ...] = (
    openai_chat.ChatCompletions(),
    openai_responses.Responses(),
    anthropic.Messages(),
    google.GenerateContent(stream=True),
    openai_chat.Embeddings(),
    anthropic.CountTokens(),
    google.CountTokens(),
    google.EmbedContent(),
    google.EmbedContent(batch=True),
    cohere.Rerank(),
    cohere.RerankV1(),
)
TALKING = 4
"""The first of them are of conversations."""
OUTS: tuple[WireOut, ...] = (
    openai_chat.OpenAIChat(),
    openai_chat.OpenAIChat(extensions=()),
    openai_chat.AzureOpenAI(api_version="1"),
    openai_responses.OpenAIResponses(),
    openai_responses.AzureResponses(api_version="1"),
    anthropic.Anthropic(),
    google.Google(),
    google.Google(vertex=True),
    cohere.Cohere(),
    Bedrock(),
    Tgi(template="{% for message in messages %}{{ message.content }}{% endfor %}"),
    Tei(),
)
_HI = (Message(role="user", content="hi"),)
ASKED: tuple[Request, ...] = (
    Request(model="m", messages=_HI),
    Request(model="m", messages=_HI, params=Parameters(stop=("END", "\n"), logprobs=1)),
    Request(model="m", embed=ToEmbed(inputs=("a", "b"))),
    Request(model="m", rank=ToRank(query="q", documents=("a", "b"))),
    Request(model="m", messages=_HI, count=True),
)


def read(wire: WireIn, body: bytes) -> Incoming:
    """A call, as the gateway reads it."""
    return wire.decode(body, path={"model": "p/m", "query": "alt=sse"}, id="0" * 32, created=1)


def answering(number: int) -> Answer:
    """Writes to a caller of one of the conversations."""
    bodies = (
        b'{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}',
        b'{"model":"m","input":"hi","stream":true}',
        b'{"model":"m","messages":[],"max_tokens":9,"stream":true}',
        b'{"contents":[]}',
    )
    return read(INS[number], bodies[number]).answer


def called(came: int, goes: int, body: bytes) -> None:
    """A caller's bytes, read by one wire and written by another."""
    try:
        request = read(INS[came % len(INS)], body).request
        OUTS[goes % len(OUTS)].encode(request, stream=bool(request.stream), model="m")
    except InvalidInput:
        return


def answered(out: int, asked: int, caller: int, body: bytes) -> None:
    """A provider's bytes as a reply in one piece, and as a stream, each told to a caller."""
    wire, request = OUTS[out % len(OUTS)], ASKED[asked % len(ASKED)]
    try:
        reply = wire.decode_reply(body, request)
        if reply.choices:
            answering(caller % TALKING).whole(reply)
    except (CallFailed, InvalidInput):
        pass
    whole, cut = (
        _streamed(wire, request, (body,)),
        _streamed(wire, request, (body[: len(body) // 2], body[len(body) // 2 :])),
    )
    assert whole == cut, "another cut of the bytes says something else"
    answer = answering(caller % TALKING)
    try:
        for event in whole[0]:
            answer.encode(event)
        answer.encode(Raw(wire=wire.name, data=body, events=tuple(whole[0])))
        answer.finish()
        answer.error(CallFailed("no"))
        fold(whole[0])
    except (CallFailed, InvalidInput):
        pass


def _streamed(wire: WireOut, request: Request, pieces: tuple[bytes, ...]) -> tuple[list[Content], str]:
    events: list[Content] = []
    try:
        decoder = wire.decoder(request)
        for piece in pieces:
            events.extend(decoder.feed(piece))
        decoder.close()
    except NoriaError as error:
        assert isinstance(error, CallFailed), error
        return events, error.code
    return events, ""
