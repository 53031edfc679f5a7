"""Log-probabilities: ``logprobsResult`` <-> OpenAI's shape, which the nouns have."""

from __future__ import annotations

from typing import Any

from noria.wires.google.shapes import LogprobsShape, TokenShape


def read_logprobs(shape: LogprobsShape) -> dict[str, Any] | None:
    """OpenAI's shape; None where there is no token."""
    tops = shape.top_candidates or []
    tokens = [
        {**_token(token), "top_logprobs": [_token(top) for top in (tops[i].candidates or () if i < len(tops) else ())]}
        for i, token in enumerate(shape.chosen_candidates or ())
    ]
    return {"content": tokens} if tokens else None


def write_logprobs(logprobs: dict[str, Any]) -> dict[str, Any] | None:
    """``logprobsResult``; None where no token of the answer has one."""
    tokens = [token for token in logprobs.get("content") or () if isinstance(token, dict)]
    if not tokens:
        return None
    tops = [[_written(top) for top in token.get("top_logprobs") or () if isinstance(top, dict)] for token in tokens]
    result: dict[str, Any] = {"chosenCandidates": [_written(token) for token in tokens]}
    if any(tops):
        result["topCandidates"] = [{"candidates": top} for top in tops]
    return result


def _token(token: TokenShape) -> dict[str, Any]:
    return {"token": token.token, "logprob": token.log_probability, "bytes": list(token.token.encode())}


def _written(token: dict[str, Any]) -> dict[str, Any]:
    return {"token": token.get("token", ""), "logProbability": token.get("logprob", 0.0)}
