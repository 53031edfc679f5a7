"""Text Generation Inference's own wire, ``POST /generate`` and ``/generate_stream``, and its sister's for embeddings.

Source: https://huggingface.github.io/text-generation-inference and .../text-embeddings-inference; the generated types of
``huggingface_hub``. Both servers speak OpenAI's dialect too, below ``/v1``: TGI's Messages API knows conversations and tools,
and is the better choice where it is there. The base URL is the server's root.

    requests.py     Request                 ->  body of POST /generate and /generate_stream
    prompt.py       messages                ->  the text that the model continues
    replies.py      reply, events of a stream  ->  Reply, Event
    client.py       the wire as targets see it
    embeddings.py   Text Embeddings Inference: POST /embed and /rerank
"""

from noria.wires.tgi.client import Tgi
from noria.wires.tgi.embeddings import Tei
from noria.wires.tgi.replies import StreamDecoder

__all__ = ["StreamDecoder", "Tei", "Tgi"]
