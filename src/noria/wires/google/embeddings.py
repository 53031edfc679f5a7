"""Vectors: ``:batchEmbedContents`` and ``:embedContent`` of Gemini, ``:predict`` of Vertex AI.

Source: https://ai.google.dev/api/embeddings and
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
"""

from __future__ import annotations

from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallGarbled, InvalidInput
from noria.core.replies import Reply, Usage
from noria.core.requests import Request, ToEmbed
from noria.wires.bodies import read_object
from noria.wires.carrying import Carrying
from noria.wires.google.errors import decode_error_object
from noria.wires.google.requests import path_of
from noria.wires.google.shapes import UsageShape
from noria.wires.google.spelling import camel
from noria.wires.google.usage import read_usage
from noria.wires.wire import Encoded

_USES = {
    "search_document": "RETRIEVAL_DOCUMENT",
    "search_query": "RETRIEVAL_QUERY",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}
_WORDS = {google: use for use, google in _USES.items()}


class _Vector(msgspec.Struct):
    values: list[float] = []


class _Statistics(msgspec.Struct):
    token_count: float = 0


class _Embeddings(msgspec.Struct):
    values: list[float] = []
    statistics: _Statistics | None = None


class _Prediction(msgspec.Struct):
    embeddings: _Embeddings


class _Reply(msgspec.Struct, rename="camel"):
    embeddings: list[_Vector] | None = None
    predictions: list[_Prediction] | None = None
    usage_metadata: UsageShape | None = None
    error: Any = None


_decoder = msgspec.json.Decoder(_Reply)


def encode_embed(request: Request, embed: ToEmbed, *, model: str, vertex: bool) -> Encoded:
    """Write a request for vectors. Raises ``InvalidInput`` for what can't be carried."""
    carrying = Carrying(request, "Gemini")
    extra = carrying.foreign("google_embed", request) | request.params.extra
    texts = [text for text in embed.inputs if isinstance(text, str)]
    if len(texts) < len(embed.inputs):
        raise InvalidInput("Google's models embed texts, and no token ids; nothing was sent.")
    use = None if embed.use is None else _USES.get(embed.use, embed.use.upper())
    if vertex:
        kind = {} if use is None else {"task_type": use}
        size = {} if embed.dimensions is None else {"outputDimensionality": embed.dimensions}
        body: dict[str, Any] = extra | {"instances": [{"content": text, **kind} for text in texts], "parameters": size}
        path = path_of(model, "predict")
    else:
        path = path_of(model, "batchEmbedContents")
        resource = path[1:].rpartition(":")[0]
        options = {"taskType": use, "outputDimensionality": embed.dimensions}
        given = {name: value for name, value in options.items() if value is not None}
        body = extra | {
            "requests": [{"model": resource, "content": {"parts": [{"text": text}]}, **given} for text in texts]
        }
    return Encoded(path, msgspec.json.encode(body), {}, carrying.dropped, carrying.emulated)


def decode_vectors(body: bytes, embed: ToEmbed) -> Reply:
    """The vectors, and where Vertex counted them, the tokens.

    Raises:
        CallCut: there are not as many vectors as inputs.
        CallFailed: the body holds no vectors, or is an error object in spite of its status.
    """
    try:
        shape = _decoder.decode(body)
    except UNREADABLE as error:
        raise CallGarbled(f"The provider sent something that holds no vectors: {error}.") from error
    if shape.error:
        raise decode_error_object(shape.error)
    predicted = [prediction.embeddings for prediction in shape.predictions or ()]
    vectors = tuple(tuple(one.values) for one in [*(shape.embeddings or ()), *predicted])
    if len(vectors) != len(embed.inputs) or not all(vectors):
        raise CallCut(f"The provider sent {len(vectors)} vectors for {len(embed.inputs)} inputs.")
    usage = read_usage(shape.usage_metadata)
    counts = [one.statistics.token_count for one in predicted if one.statistics is not None]
    if usage is None and counts:
        usage = Usage(input_tokens=int(sum(counts)), output_tokens=0)
    return Reply(vectors=vectors, usage=usage)


def decode_embed(body: bytes, *, model: str, wire: str, batch: bool) -> Request:
    """Read a request for vectors. Raises ``InvalidInput``, which names the field."""
    fields = camel(read_object(body))
    if not batch:
        one = _embed(fields, "")
        return _request(model, wire, [one])
    requests = fields.get("requests")
    if not isinstance(requests, list) or not requests or not all(isinstance(one, dict) for one in requests):
        raise InvalidInput("`requests` must be a list of requests, and not an empty one.")
    return _request(model, wire, [_embed(camel(one), f"requests[{i}].") for i, one in enumerate(requests)])


def encode_vectors(reply: Reply, *, batch: bool) -> bytes:
    """The vectors as their caller asked for them."""
    vectors = [{"values": vector} for vector in reply.vectors]
    return msgspec.json.encode({"embeddings": vectors} if batch else {"embedding": vectors[0]})


def _request(model: str, wire: str, wanted: list[tuple[str, int | None, str | None]]) -> Request:
    if len({(dimensions, use) for _, dimensions, use in wanted}) > 1:
        raise InvalidInput("`requests` differ in `taskType` or `outputDimensionality`; send them apart.")
    _, dimensions, use = wanted[0]
    embed = ToEmbed(inputs=tuple(text for text, _, _ in wanted), dimensions=dimensions, use=use)
    return Request(model=model, embed=embed, stream=False, wire=wire)


def _embed(fields: dict[str, Any], at: str) -> tuple[str, int | None, str | None]:
    config = fields.get("embedContentConfig")
    fields = fields | (camel(config) if isinstance(config, dict) else {})
    match fields.get("content"):
        case {"parts": [*parts]} if parts and all(
            isinstance(p, dict) and isinstance(p.get("text"), str) for p in parts
        ):
            text = "".join(part["text"] for part in parts)
        case _:
            raise InvalidInput(f"`{at}content` must have parts, each with a text.")
    size, kind = fields.get("outputDimensionality"), fields.get("taskType")
    if size is not None and not isinstance(size, int):
        raise InvalidInput(f"`{at}outputDimensionality` must be a number.")
    if kind is not None and not isinstance(kind, str):
        raise InvalidInput(f"`{at}taskType` must be a text.")
    for name in ("title", "autoTruncate", "documentOcr", "audioTrackExtraction"):
        if fields.get(name) is not None:
            raise InvalidInput(f"`{at}{name}` is not supported; nothing was sent.")
    return text, size, _WORDS.get(kind, kind.lower()) if kind else None
