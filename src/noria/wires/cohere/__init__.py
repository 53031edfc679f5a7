"""The Cohere wire, version 2: chat, embeddings and rankings out; rankings in.

Source: https://docs.cohere.com/v2/reference/chat, .../embed, .../rerank and .../chat-stream; the types of the official
client. The base URL is ``https://api.cohere.com/v2``.

    chat.py      Request                          ->  body of POST /chat
    replies.py   chat reply                       ->  Reply
    stream.py    message-start ... message-end    ->  Event
    embed.py     Request.embed                    ->  body of POST /embed; its reply  ->  Reply
    rerank.py    Request.rank                    <->  body of POST /rerank; its reply <->  Reply
    shapes.py    the replies' fields, as far as they are read
    client.py    the wire as targets see it
    server.py    the wire as the gateway sees it
"""

from noria.wires.cohere.client import Cohere
from noria.wires.cohere.rerank import NAME
from noria.wires.cohere.server import Rerank, RerankV1, encode_error
from noria.wires.cohere.stream import StreamDecoder

__all__ = ["NAME", "Cohere", "Rerank", "RerankV1", "StreamDecoder", "encode_error"]
