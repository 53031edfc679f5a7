"""Text Embeddings Inference as targets see it: ``POST /embed`` and ``POST /rerank``. It counts no tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallFailed, CallGarbled, InvalidInput
from noria.core.replies import Ranked, Reply
from noria.core.requests import Request, ToEmbed, ToRank
from noria.core.struct import Noun
from noria.wires.carrying import Carrying
from noria.wires.statuses import failed_with_status
from noria.wires.tgi.replies import StreamDecoder
from noria.wires.wire import Encoded


class _RankShape(msgspec.Struct):
    index: int
    score: float


_vectors_decoder = msgspec.json.Decoder(list[list[float]])
_ranks_decoder = msgspec.json.Decoder(list[_RankShape])


class Tei(Noun):
    """The dialect of a Text Embeddings Inference server."""

    @property
    def name(self) -> str:
        """The dialect."""
        return "tei"

    def headers(self, api_key: str) -> dict[str, str]:
        """Headers of a request."""
        headers = {"Content-Type": "application/json"}
        return headers | ({"Authorization": f"Bearer {api_key}"} if api_key else {})

    def encode(self, request: Request, *, stream: bool, model: str) -> Encoded:
        """The request as it is sent. The model is the server's only one."""
        del stream, model
        carrying = Carrying(request, "Text Embeddings Inference")
        body: dict[str, Any] = carrying.foreign(self.name, request) | request.params.extra
        if request.embed is not None:
            path, wanted = "/embed", _embedding(request.embed, carrying)
        elif request.rank is not None:
            path, wanted = "/rerank", {"query": request.rank.query, "texts": request.rank.documents}
        else:
            raise InvalidInput("A Text Embeddings Inference server makes embeddings and rankings, and no conversation.")
        return Encoded(path, msgspec.json.encode(body | wanted), {}, carrying.dropped, carrying.emulated)

    def decoder(self, request: Request) -> StreamDecoder:
        """Nothing here is streamed: whatever comes as a stream is cut."""
        return StreamDecoder(request)

    def decode_reply(self, body: bytes, request: Request) -> Reply:
        """Vectors or a ranking."""
        try:
            if request.rank is not None:
                return _ranking(_ranks_decoder.decode(body), request.rank)
            vectors = _vectors_decoder.decode(body)
        except UNREADABLE as error:
            raise CallGarbled(
                f"Text Embeddings Inference sent something else than it was asked for: {error}."
            ) from error
        wanted = len(request.embed.inputs) if request.embed else 0
        if len(vectors) != wanted:
            raise CallCut(f"Text Embeddings Inference sent {len(vectors)} vectors for {wanted} texts.")
        return Reply(vectors=tuple(map(tuple, vectors)))

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CallFailed:
        """What a status other than 2xx means."""
        return failed_with_status(status, headers, body)


def _embedding(embed: ToEmbed, carrying: Carrying) -> dict[str, Any]:
    if embed.use is not None:
        carrying.cannot("use", "it does not ask what vectors are for")
    inputs: list[Any] = [text if isinstance(text, str) else list(text) for text in embed.inputs]
    return {"inputs": inputs} | ({"dimensions": embed.dimensions} if embed.dimensions is not None else {})


def _ranking(shapes: list[_RankShape], rank: ToRank) -> Reply:
    if sorted(shape.index for shape in shapes) != list(range(len(rank.documents))):
        raise CallGarbled(f"Text Embeddings Inference did not rank the {len(rank.documents)} documents that were sent.")
    best = sorted(shapes, key=lambda shape: -shape.score)[: rank.most]
    return Reply(ranking=tuple(Ranked(index=shape.index, score=shape.score) for shape in best))
