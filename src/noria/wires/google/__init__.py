"""Google's dialect, both directions: Gemini's API and Vertex AI.

Source: https://ai.google.dev/api/generate-content

    requests.py    Request  ->  body of POST /models/{model}:generateContent
    calls.py       body of POST /v1beta/models/{model}:generateContent  ->  Request
    replies.py     GenerateContentResponse  ->  events; stream.py: as server-sent events; course.py: which begin once
    answers.py     events  ->  GenerateContentResponse, whole, as server-sent events or as a JSON array
    embeddings.py  vectors;  models.py: the list of models
    errors.py      {"error": ...} object  <->  NoriaError
    parts.py, functions.py, seals.py, choosing.py, citations.py, logprobs.py, reasons.py, usage.py   one thing, both ways
    schemas.py     OpenAPI's subset  ->  JSON Schema;  spelling.py: inline_data  ->  inlineData
    shapes.py      the fields that are read
    client.py      the wire as a client's targets see it
    server.py      the wire as the gateway sees it
"""

from noria.wires.google.answers import GoogleAnswer
from noria.wires.google.client import Google
from noria.wires.google.errors import encode_error
from noria.wires.google.models import encode_model, encode_models
from noria.wires.google.parts import SHOWS
from noria.wires.google.requests import NAME
from noria.wires.google.server import CountTokens, EmbedContent, GenerateContent
from noria.wires.google.stream import StreamDecoder

__all__ = [
    "NAME",
    "SHOWS",
    "CountTokens",
    "EmbedContent",
    "GenerateContent",
    "Google",
    "GoogleAnswer",
    "StreamDecoder",
    "encode_error",
    "encode_model",
    "encode_models",
]
