"""Why an answer ended: Google's words and Noria's.

Source: https://ai.google.dev/api/generate-content#FinishReason
"""

from __future__ import annotations

_READ = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"), "content_filter"
    ),
    **dict.fromkeys(("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"), "content_filter"),
}
_WRITTEN = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
}
MALFORMED = "MALFORMED_FUNCTION_CALL"
"""The model wrote arguments that are no JSON object."""
_OWN = frozenset(
    {
        *(
            "LANGUAGE",
            "OTHER",
            "IMAGE_OTHER",
            "NO_IMAGE",
            "UNEXPECTED_TOOL_CALL",
            "TOO_MANY_TOOL_CALLS",
            "CONTINUATION",
        ),
        *("MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE", MALFORMED, "ESCALATION"),
    }
)
"""Words that only Google has: they are passed on as they are."""


def read_reason(reason: str, *, called: bool) -> str:
    """``Stopped.reason``; Google says ``STOP`` also where the answer is a function call."""
    read = _READ.get(reason, reason)
    return "tool_calls" if read == "stop" and called else read


def write_reason(reason: str) -> str:
    """``finishReason``, which clients read as one of a list."""
    return _WRITTEN.get(reason) or (reason if reason in _OWN else "OTHER")
