"""Embeddings on the wire: ``POST /embed``."""

from __future__ import annotations

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallGarbled, InvalidInput
from noria.core.replies import Reply
from noria.core.requests import Request, ToEmbed
from noria.wires.carrying import Carrying
from noria.wires.cohere.rerank import NAME
from noria.wires.cohere.shapes import UsageShape, usage_of
from noria.wires.wire import Encoded

_USE = "search_document"
"""What vectors are for where nobody says: Cohere must be told, and this is what most are made for."""


class _Vectors(msgspec.Struct):
    floats: list[list[float]] | None = msgspec.field(default=None, name="float")


class _EmbedShape(msgspec.Struct):
    id: str | None = None
    embeddings: _Vectors | None = None
    meta: UsageShape | None = None


_decoder = msgspec.json.Decoder(_EmbedShape)


def encode_embed(request: Request, embed: ToEmbed, *, model: str) -> Encoded:
    """Write a request for vectors. Raises ``InvalidInput`` for token ids, which Cohere does not take."""
    carrying = Carrying(request, "Cohere")
    if not all(isinstance(text, str) for text in embed.inputs):
        raise InvalidInput("Cohere embeds texts, not token ids.", hint="Send the texts themselves.")
    body = carrying.foreign(NAME, request) | request.params.extra
    body |= {"model": model, "texts": embed.inputs, "input_type": embed.use or _USE, "embedding_types": ["float"]}
    if embed.dimensions is not None:
        body["output_dimension"] = embed.dimensions
    return Encoded("/embed", msgspec.json.encode(body), {}, carrying.dropped, carrying.emulated)


def decode_embed(body: bytes, embed: ToEmbed) -> Reply:
    """The vectors, one for each text. Raises ``CallFailed`` for something else, and ``CallCut`` where one is missing."""
    try:
        shape = _decoder.decode(body)
    except UNREADABLE as error:
        raise CallGarbled(f"Cohere sent something that is no reply with embeddings: {error}.") from error
    vectors = (shape.embeddings and shape.embeddings.floats) or ()
    if len(vectors) != len(embed.inputs):
        raise CallCut(f"Cohere sent {len(vectors)} vectors for {len(embed.inputs)} texts.")
    return Reply(id=shape.id or "", vectors=tuple(map(tuple, vectors)), usage=usage_of(shape.meta))
