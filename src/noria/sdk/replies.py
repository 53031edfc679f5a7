"""What a client library's reply says about a call: for functions traced as ``chat`` that hand it back.

Known by their shape, not by importing anybody: OpenAI's chat completions, whole and streamed, and what imitates them.
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


def facts_of_chunks(chunks: Any) -> dict[str, Any] | None:
    """The same from the chunks of a streamed reply, as plain values."""
    if not isinstance(chunks, list) or not all(isinstance(one, dict) and "choices" in one for one in chunks):
        return None
    drafts: dict[int, dict[str, Any]] = {}
    facts: dict[str, Any] = {}
    for chunk in chunks:
        facts |= {"response_model": chunk.get("model"), "response_id": chunk.get("id"), **_usage(chunk.get("usage"))}
        for choice in chunk["choices"] or ():
            delta = choice.get("delta") or {}
            draft = drafts.setdefault(choice.get("index", 0), {"role": "assistant", "content": "", "calls": {}})
            draft["content"] += delta.get("content") or ""
            draft["finish_reason"] = choice.get("finish_reason") or draft.get("finish_reason")
            for piece in delta.get("tool_calls") or ():
                call = draft["calls"].setdefault(piece.get("index", 0), {"id": None, "name": None, "arguments": ""})
                function = piece.get("function") or {}
                call["id"], call["name"] = call["id"] or piece.get("id"), call["name"] or function.get("name")
                call["arguments"] += function.get("arguments") or ""
    output = []
    for draft in drafts.values():
        calls = [
            {"id": call["id"], "function": {"name": call["name"], "arguments": call["arguments"]}}
            for call in draft.pop("calls").values()
        ]
        output.append(draft | ({"tool_calls": calls} if calls else {}))
    reasons = [draft["finish_reason"] for draft in output if draft["finish_reason"]]
    return {**facts, "output": output, "finish_reasons": reasons}


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
