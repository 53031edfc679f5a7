"""Amazon Bedrock's Converse, ``POST /model/{model}/converse`` and ``/converse-stream``.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and botocore's model of the service.
The key is one of Bedrock's own (``AWS_BEARER_TOKEN_BEDROCK``), sent as a bearer token, or calls are signed by whoever assembles
the wire. The base URL names the region: ``https://bedrock-runtime.eu-central-1.amazonaws.com``.

    requests.py   Request                    ->  body of POST /converse
    blocks.py     parts, calls and thinking  ->  content blocks
    replies.py    reply, events of a stream  ->  Reply, Event
    told.py       what the blocks of a reply mean, whole or in pieces;  shapes.py: the fields that are read
    frames.py     AWS's framing of a stream
    client.py     the wire as targets see it
"""

from noria.wires.bedrock.client import Bedrock
from noria.wires.bedrock.replies import StreamDecoder

__all__ = ["Bedrock", "StreamDecoder"]
