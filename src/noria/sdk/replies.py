"""What a client library's reply says about a call: for functions traced as ``chat`` that hand it back.

Known by their shape, not by importing anybody: OpenAI's chat completions, and what imitates them.
"""

from __future__ import annotations

from typing import Any

from noria.sdk.values import builtins_of


def facts_of(reply: Any) -> dict[str, Any] | None:
    """Fields for :meth:`Step.set`, or None when this is no reply that is known."""
    try:
        choices = reply.get("choices") if isinstance(reply, dict) else getattr(reply, "choices", None)
    except Exception:  # noqa: BLE001  # strangers' objects, whose properties may do anything
        return None
    if not isinstance(choices, list) or not choices:
        return None
    plain = builtins_of(reply)
    if not isinstance(plain, dict):
        return None
    found = [
        one for one in plain.get("choices") or () if isinstance(one, dict) and isinstance(one.get("message"), dict)
    ]
    if not found:
        return None
    reasons = [str(one["finish_reason"]) for one in found if one.get("finish_reason")]
    messages = [
        one["message"] | ({"finish_reason": one["finish_reason"]} if one.get("finish_reason") else {}) for one in found
    ]
    return {
        "output": messages,
        "finish_reasons": reasons,
        "response_model": plain.get("model"),
        "response_id": plain.get("id"),
        **_usage(plain.get("usage")),
    }


def _usage(usage: Any) -> dict[str, Any]:
    if not isinstance(usage, dict):
        return {}
    prompt, completion = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    return {
        "input_tokens": usage.get("prompt_tokens"),
        "output_tokens": usage.get("completion_tokens"),
        "cached_tokens": prompt.get("cached_tokens"),
        "reasoning_tokens": completion.get("reasoning_tokens"),
    }
