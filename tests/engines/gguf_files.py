"""Writes small GGUF files, whole and broken, to try readers on."""

import struct
from typing import Any

KINDS = {"u32": (4, "<I"), "f32": (6, "<f"), "bool": (7, "<?"), "u64": (10, "<Q")}
LLAMA = {
    "general.architecture": "llama",
    "general.name": "Tiny",
    "general.license": "apache-2.0",
    "general.file_type": ("u32", 3),
    "llama.context_length": ("u32", 2048),
    "llama.block_count": ("u32", 4),
    "llama.embedding_length": ("u32", 64),
    "llama.attention.head_count": ("u32", 8),
    "llama.attention.head_count_kv": ("u32", 2),
    "tokenizer.ggml.tokens": ["<s>", "</s>", "a"],
    "tokenizer.chat_template": "{{ messages }}",
}


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def value(item: Any) -> bytes:
    if isinstance(item, str):
        return struct.pack("<I", 8) + text(item)
    if isinstance(item, list):
        if item and isinstance(item[0], str):
            return struct.pack("<IIQ", 9, 8, len(item)) + b"".join(text(part) for part in item)
        return struct.pack("<IIQ", 9, 4, len(item)) + b"".join(struct.pack("<I", part) for part in item)
    kind, number = item
    code, form = KINDS[kind]
    return struct.pack("<I", code) + struct.pack(form, number)


def gguf(metadata: dict[str, Any] = LLAMA, *, version: int = 3, data: bytes | None = None) -> bytes:
    """A file with one F32 tensor of 2 x 4 numbers."""
    head = b"GGUF" + struct.pack("<IQQ", version, 1, len(metadata))
    head += b"".join(text(key) + value(item) for key, item in metadata.items())
    head += text("w") + struct.pack("<IQQIQ", 2, 2, 4, 0, 0)
    return head + bytes(-len(head) % 32) + (bytes(32) if data is None else data)
