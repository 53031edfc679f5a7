"""Rankings on the wire, both directions: ``POST /rerank``.

vLLM, llama.cpp and Jina took its shape over, and count tokens as OpenAI does: that is read here too.
"""

from __future__ import annotations

from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallGarbled, InvalidInput
from noria.core.replies import Ranked, Reply, Usage
from noria.core.requests import Request, ToRank
from noria.wires.bodies import Body
from noria.wires.carrying import Carrying
from noria.wires.cohere.shapes import UsageShape, usage_of
from noria.wires.wire import Encoded

NAME = "cohere"
"""The dialect's name."""
NAME_V1 = "cohere_v1"
"""Name of its first version, as callers may speak it."""


class _ResultShape(msgspec.Struct):
    index: int
    relevance_score: float


class _TotalShape(msgspec.Struct):
    total_tokens: int | None = None


class _RankingShape(msgspec.Struct):
    results: list[_ResultShape]
    id: str | None = None
    meta: UsageShape | None = None
    usage: _TotalShape | None = None


class _RequestShape(msgspec.Struct):
    model: str
    query: str
    documents: list[str | dict[str, Any]]
    top_n: int | None = None


_BODY = Body(_RequestShape)
_decoder = msgspec.json.Decoder(_RankingShape)


def encode_rank(request: Request, rank: ToRank, *, model: str, wire: str = NAME, to: str = "Cohere") -> Encoded:
    """Write a request for a ranking. Raises ``InvalidInput`` for what can't be carried.

    Arguments:
        request: whose it is.
        rank: what is to be put in order.
        model: the provider's name of the model.
        wire: the provider's dialect.
        to: its name for people.
    """
    carrying = Carrying(request, to)
    body = carrying.foreign(wire, request) | request.params.extra
    body |= {"model": model, "query": rank.query, "documents": rank.documents}
    if rank.most is not None:
        body["top_n"] = rank.most
    return Encoded("/rerank", msgspec.json.encode(body), {}, carrying.dropped, carrying.emulated)


def decode_rank(body: bytes, rank: ToRank) -> Reply:
    """The ranking, best first.

    Raises:
        CallCut: there are fewer results than asked for.
        CallFailed: it is no ranking of these documents.
    """
    try:
        shape = _decoder.decode(body)
    except UNREADABLE as error:
        raise CallGarbled(f"The provider sent something that is no ranking: {error}.") from error
    of = len(rank.documents)
    results = sorted(shape.results, key=lambda result: -result.relevance_score)
    seen = {result.index for result in results}
    if len(seen) != len(results) or not all(0 <= index < of for index in seen):
        raise CallGarbled(f"The provider ranked documents that are not among the {of} that were sent.")
    wanted = of if rank.most is None else min(rank.most, of)
    if len(results) < wanted:
        raise CallCut(f"The provider ranked {len(results)} documents of {wanted}.")
    ranking = tuple(Ranked(index=result.index, score=result.relevance_score) for result in results[:wanted])
    return Reply(id=shape.id or "", ranking=ranking, usage=usage_of(shape.meta) or _total(shape.usage))


def decode_rank_request(body: bytes, *, wire: str) -> tuple[Request, dict[str, Any]]:
    """Read a request for a ranking, and the fields of it that are no part of what is asked.

    Raises:
        InvalidInput: names the field, and says what is wrong with it.
    """
    shape, unread = _BODY.read(body)
    if not shape.model:
        raise InvalidInput("`model` is empty.")
    if not shape.documents:
        raise InvalidInput("`documents` is empty; there is nothing to rank.")
    if shape.top_n is not None and shape.top_n < 1:
        raise InvalidInput("`top_n` must be at least 1.")
    rank = ToRank(
        query=shape.query,
        documents=tuple(_document(document, i) for i, document in enumerate(shape.documents)),
        most=shape.top_n,
    )
    return Request(model=shape.model, rank=rank, stream=False, wire=wire), unread


def encode_rank_reply(reply: Reply, *, id: str, version: str, documents: tuple[str, ...] = ()) -> bytes:
    """A ranking as its caller reads it; with ``documents`` each result has its text, as version 1 can.

    Raises:
        CallCut: there is no ranking.
    """
    if not reply.ranking:
        raise CallCut("The reply ended before the ranking came.")
    results: list[dict[str, Any]] = [
        {"index": ranked.index, "relevance_score": ranked.score} for ranked in reply.ranking
    ]
    if documents:
        for result in results:
            result["document"] = {"text": documents[result["index"]]}
    meta: dict[str, Any] = {"api_version": {"version": version}}
    if reply.usage is not None:
        meta["tokens"] = {"input_tokens": reply.usage.input_tokens, "output_tokens": reply.usage.output_tokens}
    return msgspec.json.encode({"id": id, "results": results, "meta": meta})


def _total(shape: _TotalShape | None) -> Usage | None:
    tokens = shape.total_tokens if shape else None
    return Usage(input_tokens=tokens, output_tokens=0) if tokens is not None and 0 <= tokens < 2**63 else None


def _document(document: str | dict[str, Any], index: int) -> str:
    """A document's text: version 1 also takes objects."""
    if isinstance(document, str):
        return document
    match document:
        case {"text": str(text)} if len(document) == 1:
            return text
    raise InvalidInput(
        f"`documents[{index}]` must be a text, or an object with nothing but a `text`.",
        hint="Write structured documents as YAML, as Cohere advises.",
    )
