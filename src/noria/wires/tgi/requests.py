"""Requests on the wire: the body of ``POST /generate`` and ``POST /generate_stream``, which is the same."""

from __future__ import annotations

from typing import Any

import msgspec

from noria.core.requests import Parameters, Request
from noria.wires.carrying import Carrying
from noria.wires.tgi.prompt import prompt_of
from noria.wires.wire import Encoded
from noria.wires.worded import with_last_words, worded

NAME = "tgi"
"""The dialect's name."""


def encode_request(request: Request, *, stream: bool, template: str) -> Encoded:
    """Write a request. The model is the server's only one, so no name of it is sent.

    A JSON schema becomes a grammar. Details are always asked for: without them there is no finish reason.

    Raises:
        InvalidInput: it asks for what the wire can't carry.
    """
    carrying = Carrying(request, "TGI")
    params = request.params
    _refuse_what_is_lacking(request, carrying)
    if params.response_json and params.response_schema is None:
        carrying.emulates("response_json")
        request = worded(request, say=None if template or not request.messages else with_last_words)
    fields = carrying.foreign(NAME, request)
    parameters = params.extra | _parameters(params) | {"details": True, "return_full_text": False}
    body = fields | {"inputs": prompt_of(request, template, carrying), "parameters": parameters}
    return Encoded(
        path="/generate_stream" if stream else "/generate",
        body=msgspec.json.encode(body),
        headers={},
        dropped=carrying.dropped,
        emulated=carrying.emulated,
    )


def _refuse_what_is_lacking(request: Request, carrying: Carrying) -> None:
    params = request.params
    lacking = {
        "n": request.n != 1,
        "presence_penalty": bool(params.presence_penalty),
        "reasoning": params.reasoning is not None
        and params.reasoning.effort != "none"
        and params.reasoning.tokens != 0,
        "tools": bool(request.tools),
    }
    for name, asked in lacking.items():
        if asked:
            carrying.cannot(name, "its text endpoint has nothing like it")


def _parameters(params: Parameters) -> dict[str, Any]:
    """Decoding parameters. TGI refuses a temperature of 0 and a mass of 1, which mean: greedy, and everything."""
    warm = params.temperature is None or params.temperature > 0
    out = {
        "do_sample": None if params.temperature is None else warm,
        "temperature": params.temperature if warm else None,
        "top_p": params.top_p if params.top_p is None or params.top_p < 1 else None,
        "top_k": params.top_k or None,
        "max_new_tokens": params.max_tokens,
        "stop": params.stop or None,
        "seed": params.seed,
        "frequency_penalty": params.frequency_penalty,
        "grammar": None if params.response_schema is None else {"type": "json", "value": params.response_schema},
        "top_n_tokens": params.logprobs or None,
    }
    return {name: value for name, value in out.items() if value is not None}
