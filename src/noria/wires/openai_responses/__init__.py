"""The OpenAI Responses wire, both directions.

Source: https://platform.openai.com/docs/api-reference/responses, and what compatible servers (llama.cpp, vLLM, LM
Studio) make of it.

    requests.py   body of POST /responses     <->  Request
    items.py      input and output items      <->  messages
    parts.py      content parts, annotations
    tools.py      tools on offer
    replies.py    response object              ->  Reply
    stream.py     its events                   ->  Event
    writer.py     Event                        ->  response object and its events
    shapes.py     the fields both directions know
    client.py     the wire as a client's targets see it
    azure.py      the same as Azure serves it
    server.py     the wire as the gateway sees it
"""

from noria.wires.openai_responses.azure import AzureResponses
from noria.wires.openai_responses.client import OpenAIResponses
from noria.wires.openai_responses.replies import decode_reply
from noria.wires.openai_responses.requests import NAME, decode_request, encode_request
from noria.wires.openai_responses.server import Responses, ResponsesAnswer
from noria.wires.openai_responses.stream import StreamDecoder
from noria.wires.openai_responses.writer import SHOWS, Writer

__all__ = [
    "NAME",
    "SHOWS",
    "AzureResponses",
    "OpenAIResponses",
    "Responses",
    "ResponsesAnswer",
    "StreamDecoder",
    "Writer",
    "decode_reply",
    "decode_request",
    "encode_request",
]
