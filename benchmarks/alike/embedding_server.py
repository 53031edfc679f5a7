"""An OpenAI-compatible ``/v1/embeddings`` over an ONNX model on this machine, for measurements.

    python benchmarks/alike/embedding_server.py FOLDER [--port 8099]

The folder holds ``model.onnx`` and ``tokenizer.json``; a text's vector is that of its first token, as bge models want it. Needs
``onnxruntime``, ``tokenizers`` and ``numpy``, which Noria does not.
"""

from __future__ import annotations

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np


def embedder(folder: Path) -> Any:
    import onnxruntime  # noqa: PLC0415
    from tokenizers import Tokenizer  # noqa: PLC0415

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(512)
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    names = {given.name for given in session.get_inputs()}

    def embed(text: str) -> tuple[list[float], int]:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        (hidden, *_) = session.run(None, {name: value for name, value in given.items() if name in names})
        first = hidden[0, 0] if hidden.ndim == 3 else hidden[0]
        return (first / np.linalg.norm(first)).tolist(), ids.shape[1]

    return embed


class Answering(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    embed: Any

    def do_POST(self) -> None:
        """Whatever the path is."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        made = [type(self).embed(text) for text in texts]
        data = [{"object": "embedding", "index": at, "embedding": vector} for at, (vector, _) in enumerate(made)]
        used = sum(tokens for _, tokens in made)
        usage = {"prompt_tokens": used, "total_tokens": used}
        body = json.dumps({"object": "list", "model": asked["model"], "data": data, "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8099)
    given = parser.parse_args()
    Answering.embed = staticmethod(embedder(given.folder))
    ThreadingHTTPServer(("127.0.0.1", given.port), Answering).serve_forever()


if __name__ == "__main__":
    main()
