"""The OpenAI Chat Completions wire, both directions.

Source: https://platform.openai.com/docs/api-reference/chat, and what compatible servers (llama.cpp, vLLM, SGLang,
DeepSeek, OpenRouter, Mistral) add to it.

    requests.py   body of POST /chat/completions  <->  Request
    messages.py   messages and tool calls
    parameters.py how to decode
    tools.py      tools on offer
    parts.py      content parts, cache marks and citations
    thinking.py   sealed thinking
    replies.py    chat.completion object          <->  Reply
    stream.py     chat.completion.chunk events    <->  Event; course.py: a choice begins once, and ends once
    errors.py     {"error": ...} object           <->  NoriaError
    embeddings.py POST /embeddings, both directions
    models.py     list of models
    shapes.py     the fields both directions know
    dialect.py    what differs between providers
    client.py     the wire as a client's targets see it
    azure.py      the same as Azure serves it
    server.py     the wire as the gateway sees it
"""

from noria.wires.openai_chat.azure import AzureOpenAI
from noria.wires.openai_chat.client import OpenAIChat
from noria.wires.openai_chat.dialect import NAME, Dialect, Extension
from noria.wires.openai_chat.embeddings import Embeddings
from noria.wires.openai_chat.errors import decode_error, encode_error
from noria.wires.openai_chat.models import encode_model, encode_models
from noria.wires.openai_chat.replies import decode_reply, encode_reply
from noria.wires.openai_chat.requests import Read, decode_request, encode_request
from noria.wires.openai_chat.server import ChatCompletions
from noria.wires.openai_chat.stream import StreamDecoder, StreamEncoder

__all__ = [
    "NAME",
    "AzureOpenAI",
    "ChatCompletions",
    "Dialect",
    "Embeddings",
    "Extension",
    "OpenAIChat",
    "Read",
    "StreamDecoder",
    "StreamEncoder",
    "decode_error",
    "decode_reply",
    "decode_request",
    "encode_error",
    "encode_model",
    "encode_models",
    "encode_reply",
    "encode_request",
]
