"""Why a reply stopped.

stop_reason                                  Stopped.reason
end_turn                                     stop
stop_sequence                                stop, with the sequence
max_tokens, model_context_window_exceeded    length
tool_use                                     tool_calls
refusal                                      refusal; content_filter becomes it too
pause_turn, and any other                    the same word; what Anthropic does not know is written as max_tokens,
                                             since no answer ends well that way
"""

from __future__ import annotations

_IN = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
}
_OUT = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "pause_turn": "pause_turn",
}


def reason_in(reason: str) -> str:
    """A provider's word as Noria's."""
    return _IN.get(reason, reason)


def reason_out(reason: str, sequence: str | None, *, called: bool) -> str:
    """Noria's word as the wire's.

    Arguments:
        called: the reply calls a tool. Some servers say of such a one that it just stopped; clients go by the word.
    """
    if reason == "stop" and called:
        return "tool_use"
    if reason == "stop" and sequence is not None:
        return "stop_sequence"
    return _OUT.get(reason, "max_tokens")
