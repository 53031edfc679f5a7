"""How much to think: Anthropic's ``thinking`` and ``output_config.effort`` <-> :class:`Reasoning`.

    thinking                    Reasoning              to a model that thinks
                                                       by itself (Claude 4.6 on)   by budget (older, and others)
    enabled, budget_tokens n    tokens=n               effort by the table         enabled, n
    adaptive                    tokens=-1              adaptive                    enabled, 8,192
    disabled                    tokens=0, none         disabled                    disabled
    output_config.effort e      effort=e               adaptive, effort e          enabled, by the table
    display                     shown                  display                     display

A request that came by this wire goes on as it came. The table of efforts is in :mod:`noria.wires.effort`.

Source: https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking and .../adaptive-thinking
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from noria.core.requests import Reasoning
from noria.wires.carrying import Carrying
from noria.wires.effort import effort_of, tokens_of

_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?")
_ADAPTIVE_SINCE = (4, 6)
_SYSTEM_TURNS_SINCE = (4, 8)
_LEAST_BUDGET = 1_024
_SHOWN = {"summarized": True, "omitted": False}


class Thinking(NamedTuple):
    """What a request says about thinking."""

    thinking: dict[str, Any] | None
    """The field ``thinking``; None leaves it out."""
    effort: str | None
    """``output_config.effort``; None leaves it out."""
    budget: int
    """Tokens that thinking may take of the limit; 0 where no budget is set."""


_NOTHING = Thinking(None, None, 0)


def is_adaptive(model: str) -> bool:
    """Whether the model decides by itself how much to think, and refuses or discourages a budget."""
    return _version(model) >= _ADAPTIVE_SINCE


def takes_system_turns(model: str) -> bool:
    """Whether the model takes a system message after a user's turn."""
    return _version(model) >= _SYSTEM_TURNS_SINCE


def reasoning_in(thinking: dict[str, Any] | None, effort: str | None) -> Reasoning | None:
    """What a caller wrote; None where it says nothing about thinking, or what Noria has no noun for."""
    tokens: int | None = None
    shown: bool | None = None
    match thinking:
        case {"type": "enabled", "budget_tokens": int(budget), **rest} if budget > 0 and not rest.keys() - {"display"}:
            tokens, shown = budget, _SHOWN.get(str(rest.get("display")))
        case {"type": "adaptive", **rest} if not rest.keys() - {"display"}:
            tokens, shown = -1, _SHOWN.get(str(rest.get("display")))
        case {"type": "disabled", **rest} if not rest:
            tokens = 0
    if tokens is None and effort is None:
        return None
    return Reasoning(effort=effort, tokens=tokens, shown=shown)


def thinking_out(
    reasoning: Reasoning | None, *, as_it_came: bool, adaptive: bool, max_tokens: int | None, carrying: Carrying
) -> Thinking:
    """What to ask for.

    Arguments:
        reasoning: what is wanted.
        as_it_came: it came by this wire, so that both its halves mean exactly what they say.
        adaptive: the model thinks by itself, without a budget.
        max_tokens: the caller's limit, thinking included. A budget that stands for an effort takes no more than half.
        carrying: is told where there is no room to think.
    """
    if reasoning is None:
        return _NOTHING
    display = {} if reasoning.shown is None else {"display": "summarized" if reasoning.shown else "omitted"}
    if as_it_came:
        return _as_it_came(reasoning, display)
    if reasoning.effort == "none" or reasoning.tokens == 0:
        return Thinking({"type": "disabled"}, None, 0)
    if reasoning.effort is None and reasoning.tokens is None:
        return _NOTHING
    if adaptive:
        word = reasoning.effort or (effort_of(reasoning.tokens) if reasoning.tokens and reasoning.tokens > 0 else None)
        return Thinking({"type": "adaptive"} | display, "low" if word == "minimal" else word, 0)
    return _by_budget(reasoning, display, max_tokens, carrying)


def _as_it_came(reasoning: Reasoning, display: dict[str, Any]) -> Thinking:
    match reasoning.tokens:
        case None:
            return Thinking(None, reasoning.effort, 0)
        case 0:
            return Thinking({"type": "disabled"}, reasoning.effort, 0)
        case -1:
            return Thinking({"type": "adaptive"} | display, reasoning.effort, 0)
    tokens = reasoning.tokens
    return Thinking({"type": "enabled", "budget_tokens": tokens} | display, reasoning.effort, tokens)


def _by_budget(reasoning: Reasoning, display: dict[str, Any], max_tokens: int | None, carrying: Carrying) -> Thinking:
    tokens = reasoning.tokens if (reasoning.tokens or 0) > 0 else None
    budget = tokens or tokens_of(reasoning.effort or "medium")
    if budget is None:
        carrying.cannot("reasoning", f"{reasoning.effort!r} is no effort that a number of tokens is known for")
        return _NOTHING
    if max_tokens is not None and max_tokens <= _LEAST_BUDGET:
        carrying.cannot("reasoning", f"thinking takes {_LEAST_BUDGET:,} tokens or more of max_tokens ({max_tokens:,})")
        return _NOTHING
    if max_tokens is not None and tokens is None:
        budget = min(budget, max_tokens // 2)
    budget = max(_LEAST_BUDGET, budget)
    return Thinking({"type": "enabled", "budget_tokens": budget} | display, None, budget)


def _version(model: str) -> tuple[int, int]:
    """The version in a Claude model's name (``claude-sonnet-4-5-20250929``); (0, 0) for any other name."""
    found = _VERSION.search(model)
    if not found:
        return (5, 0) if "claude-mythos" in model else (0, 0)
    return int(found[1]), int(found[2] or 0)
