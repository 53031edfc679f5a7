"""The process behind :class:`noria.engines.llamacpp.LlamaCpp`: xllamacpp's HTTP server, and nothing else of Noria.

Flags: llama.cpp, ``tools/server/README.md``; xllamacpp's ``CommonParams`` has the same names.
"""

from __future__ import annotations

import importlib
import os
import threading
from typing import Any

from noria.engines.child import Parent, take_order
from noria.engines.processor import missing_instructions, usable_cores

_LOG_WARNINGS = 2
"""llama.cpp's verbosity: 3 writes eight lines a request, 4 and more write prompts."""
_PROMPT_CACHE_MIB = 256
"""Memory for the prompts of idle slots; llama.cpp's own default of 8 GiB would eat a small machine."""


def load(parent: Parent) -> Any:
    """The library, or a refusal that says why it can't be had here."""
    if missing := missing_instructions():
        parent.refuse(f"this processor has no {missing}, and the llama.cpp wheel is built for it.")
    # OpenMP's threads spin at every barrier by default: when another process holds a core, each spin lasts a time slice.
    # On two cores shared with others, passive waiting was seen to decode 8 to 26 times faster.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        # Only after the processor is known to bear it.
        return importlib.import_module("xllamacpp")
    except ModuleNotFoundError:
        parent.refuse("xllamacpp is not installed.", "Run: pip install 'noria[local]'")
    except ImportError as error:
        if "libgomp" in str(error):
            parent.refuse(
                f"a system library is missing ({error}).",
                "Install OpenMP's run-time library: apt install libgomp1, dnf install libgomp, or apk add libgomp.",
            )
        parent.refuse(
            f"the installed xllamacpp does not fit this system ({error}).",
            "Run: pip install --force-reinstall 'noria[local]'",
        )


def flags(llama: Any, order: dict[str, Any]) -> Any:
    """Xllamacpp's parameters for an order: the fields of ``EngineOptions``, ``weights``, ``model`` and the key."""
    params = llama.CommonParams()
    params.model.path = order["weights"]
    params.model_alias = {order["model"]}
    params.hostnames = [order["host"]]
    # The kernel picks a free port while binding, so that no other process can take it in between.
    params.port = 0
    params.api_keys = [order["api_key"]]
    # llama.cpp divides the context among the slots.
    params.n_ctx = order["context"] * order["slots"]
    params.n_parallel = order["slots"]
    params.n_batch = order["batch"]
    params.n_ubatch = min(params.n_ubatch, order["batch"])
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = order["threads"] or usable_cores()
    # A connection holds a thread while it waits for a slot; health checks want one too.
    params.n_threads_http = 64
    kinds = {"f16": "GGML_TYPE_F16", "q8_0": "GGML_TYPE_Q8_0", "q4_0": "GGML_TYPE_Q4_0"}
    params.cache_type_k = params.cache_type_v = getattr(llama.ggml_type, kinds[order["kv_cache"]])
    choice = {None: "AUTO", True: "ENABLED", False: "DISABLED"}[order["flash_attention"]]
    params.flash_attn_type = getattr(llama.llama_flash_attn_type, f"LLAMA_FLASH_ATTN_TYPE_{choice}")
    if order["pooling"]:
        params.embedding = True
        params.pooling_type = getattr(llama.llama_pooling_type, f"LLAMA_POOLING_TYPE_{order['pooling'].upper()}")
        params.n_ubatch = params.n_batch  # a text's vector is made in one step, so it must fit into one
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    # What was asked for is what the model's id says; fitting would change the context quietly.
    params.fit_params = False
    params.offline = True
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = _LOG_WARNINGS
    return params


def serve(parent: Parent) -> None:
    """Load, say where it listens, and serve until the parent ends this process."""
    llama = load(parent)
    try:
        server = llama.Server(flags(llama, parent.order))
    except RuntimeError as error:
        parent.refuse(f"llama.cpp refused {parent.order['weights']} ({error}).")
    parent.listening(int(server.listening_address.rpartition(":")[2]))
    threading.Event().wait()


if __name__ == "__main__":
    serve(take_order())
