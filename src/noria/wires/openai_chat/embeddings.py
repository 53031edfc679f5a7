"""Embeddings: ``POST /embeddings``, both directions.

Source: https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

import base64
import binascii
from array import array
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallGarbled, InvalidInput, NoriaError
from noria.core.replies import Reply, Usage
from noria.core.requests import Lineage, Request, ToEmbed
from noria.core.struct import Noun
from noria.wires.bodies import Body
from noria.wires.carrying import Carrying
from noria.wires.openai_chat.errors import decode_error_object, encode_error
from noria.wires.wire import Encoded, Incoming, InOnePiece

NAME = "openai_embeddings"
"""The dialect's name."""


class _RequestShape(msgspec.Struct):
    """The body of a request. All other fields stay in ``Request.unread``."""

    model: Annotated[str, msgspec.Meta(min_length=1)]
    input: str | list[Any]
    dimensions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None
    input_type: str | None = None


class _VectorShape(msgspec.Struct):
    embedding: list[float] | str
    index: int = 0


class _UsageShape(msgspec.Struct):
    prompt_tokens: int | None = None


class _ReplyShape(msgspec.Struct):
    data: list[_VectorShape] = []
    model: str | None = None
    usage: _UsageShape | None = None
    error: Any = None


_BODY = Body(_RequestShape)
_reply_decoder = msgspec.json.Decoder(_ReplyShape)


class Embeddings(Noun):
    """The embeddings dialect of a caller: :class:`noria.wires.wire.WireIn` for ``POST /v1/embeddings``."""

    @property
    def name(self) -> str:
        """The dialect."""
        return NAME

    @property
    def passed_on(self) -> tuple[str, ...]:
        """No header: everything is in the body."""
        return ()

    def decode(self, body: bytes, *, path: Mapping[str, str], id: str, created: int) -> Incoming:
        """Read a call: a text, texts, the token ids of one, or of several.

        ``input_type``, what the vectors are for, is Cohere's own field, which NVIDIA's servers and LiteLLM's callers know too.
        """
        del path, id, created
        shape, unread = _BODY.read(body)
        request = Request(
            model=shape.model,
            embed=ToEmbed(inputs=_inputs(shape.input), dimensions=shape.dimensions, use=shape.input_type),
            stream=False,
            wire=NAME,
            unread=unread,
            lineage=Lineage(user_id=shape.user),
        )
        return Incoming(request, EmbeddingsAnswer(shape.model, packed=shape.encoding_format == "base64"))

    def encode_error(self, error: NoriaError) -> bytes:
        """The body of an error response."""
        return encode_error(error)


class EmbeddingsAnswer(InOnePiece):
    """Writes the vectors.

    Arguments:
        model: as it was called, for providers that do not name theirs.
        packed: the caller wants them as base64 of little-endian 32-bit floats.
    """

    def __init__(self, model: str, *, packed: bool) -> None:
        self._model = model
        self._packed = packed

    def whole(self, reply: Reply, raw: bytes = b"") -> bytes:
        """The list of vectors."""
        del raw
        if not reply.vectors:
            raise CallCut("The reply ended before it was complete.")
        made = _packed if self._packed else list
        tokens = reply.usage.input_tokens if reply.usage else 0
        body = {
            "object": "list",
            "data": [
                {"object": "embedding", "index": i, "embedding": made(vector)} for i, vector in enumerate(reply.vectors)
            ],
            "model": reply.model or self._model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
        return msgspec.json.encode(body)

    def error(self, error: NoriaError) -> bytes:
        """An error object."""
        return encode_error(error)


def encode_embed(request: Request, embed: ToEmbed, *, model: str) -> Encoded:
    """Write a request for vectors. Raises ``InvalidInput`` where it asks for what the wire can't carry."""
    carrying = Carrying(request, "an OpenAI-compatible server")
    body: dict[str, Any] = carrying.foreign(NAME, request) | request.params.extra
    if embed.use is not None and request.wire == NAME:
        body["input_type"] = embed.use
    elif embed.use is not None:
        carrying.cannot("use", "OpenAI's embeddings have one use for all")
    body |= {"model": model, "input": embed.inputs, "encoding_format": "float"}
    if embed.dimensions is not None:
        body["dimensions"] = embed.dimensions
    if request.lineage.user_id is not None:
        body["user"] = request.lineage.user_id
    return Encoded(
        path="/embeddings",
        body=msgspec.json.encode(body),
        headers={},
        dropped=carrying.dropped,
        emulated=carrying.emulated,
    )


def decode_embed(body: bytes, embed: ToEmbed) -> Reply:
    """Vectors in the order of the inputs.

    Raises:
        CallCut: there are not as many as there are inputs.
        CallFailed: the body is no list of embeddings.
    """
    try:
        shape = _reply_decoder.decode(body)
    except UNREADABLE as error:
        raise CallGarbled(f"The provider sent something that is no list of embeddings: {error}.") from error
    if shape.error:
        raise decode_error_object(shape.error)
    ordered = sorted(shape.data, key=lambda one: one.index)
    if [one.index for one in ordered] != list(range(len(embed.inputs))):
        raise CallCut(
            f"The provider sent {len(ordered)} vectors for {len(embed.inputs)} inputs, or counted them wrong."
        )
    tokens = shape.usage.prompt_tokens if shape.usage else None
    usage = None if tokens is None or not 0 <= tokens < 2**63 else Usage(input_tokens=tokens, output_tokens=0)
    return Reply(model=shape.model or "", vectors=tuple(_vector(one.embedding) for one in ordered), usage=usage)


def _inputs(given: str | list[Any]) -> tuple[str | tuple[int, ...], ...]:
    inputs = [given] if isinstance(given, str) else given
    if not inputs:
        raise InvalidInput("`input` is empty.")
    if all(map(_is_token, inputs)):
        inputs = [inputs]
    for i, one in enumerate(inputs):
        if not isinstance(one, str) and not (isinstance(one, list) and one and all(map(_is_token, one))):
            raise InvalidInput(f"`input[{i}]` must be a text or a list of token ids.")
    return tuple(one if isinstance(one, str) else tuple(one) for one in inputs)


def _is_token(value: Any) -> bool:
    return type(value) is int and value >= 0


def _packed(vector: tuple[float, ...]) -> str:
    return base64.b64encode(_floats(vector).tobytes()).decode()


def _floats(vector: tuple[float, ...] = ()) -> array[float]:
    return array("f", vector)  # little-endian wherever Noria runs


def _vector(given: list[float] | str) -> tuple[float, ...]:
    if not isinstance(given, str):
        return tuple(given)
    floats = _floats()
    try:
        floats.frombytes(base64.b64decode(given, validate=True))
    except (binascii.Error, ValueError) as error:
        raise CallGarbled(
            f"The provider sent a vector that is neither numbers nor base64 of floats: {error}."
        ) from error
    return tuple(floats)
