"""A request to a provider: the body of ``POST /messages``.

What Anthropic can't carry is refused by name, or left out where the caller allows it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from noria.core.errors import InvalidInput
from noria.core.requests import Parameters, Request, Tool
from noria.wires.anthropic.incoming import NAME
from noria.wires.anthropic.marks import cache_out
from noria.wires.anthropic.thinking import Thinking, thinking_out
from noria.wires.anthropic.turns import Conversation
from noria.wires.carrying import Carrying
from noria.wires.wire import Encoded
from noria.wires.worded import worded

_UNKNOWN_THERE = {
    "seed": "Anthropic has no seed",
    "presence_penalty": "Anthropic has no penalties",
    "frequency_penalty": "Anthropic has no penalties",
    "logprobs": "Anthropic tells no log-probabilities",
}
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_HOTTEST = 1.0


class Outgoing:
    """Writes one request.

    Arguments:
        request: what is asked.
        model: the provider's name of the model.
        most_tokens: the limit on generated tokens where the request has none, thinking excluded: Anthropic wants one.
        adaptive: the model thinks by itself, without a budget.
    """

    def __init__(self, request: Request, *, model: str, most_tokens: int, adaptive: bool) -> None:
        self._carrying = Carrying(request, "Anthropic")
        if request.params.response_json and request.params.response_schema is None:
            self._carrying.emulates(
                "response_json"
            )  # Anthropic holds a reply to a schema, and not to JSON of any shape
            request = worded(request)
        self._request = request
        self._model = model
        self._most_tokens = most_tokens
        self._adaptive = adaptive
        self._as_it_came = request.wire in {NAME, ""}

    def call(self, *, stream: bool) -> Encoded:
        """The call. Raises ``InvalidInput`` where it asks for what the wire can't carry."""
        request, carrying = self._request, self._carrying
        params = request.params
        for name, why in _UNKNOWN_THERE.items():
            if getattr(params, name) is not None:
                carrying.cannot(name, why)
        if request.n != 1:
            carrying.cannot("n", "Anthropic gives one answer to a call")
        thinking = self._thinking()
        body = self._prompt(thinking)
        body["max_tokens"] = self._most_tokens + thinking.budget if params.max_tokens is None else params.max_tokens
        if params.temperature is not None and params.temperature > _HOTTEST:
            carrying.cannot("temperature", f"Anthropic takes 0 to 1, and this is {params.temperature:g}")
        elif params.temperature is not None:
            body["temperature"] = params.temperature
        if params.top_p is not None:
            body["top_p"] = params.top_p
        if params.top_k is not None:
            body["top_k"] = params.top_k
        if params.stop:
            body["stop_sequences"] = params.stop
        if request.lineage.user_id is not None:
            body["metadata"] = {"user_id": request.lineage.user_id}
        body["stream"] = stream
        return self._encoded("/messages", body)

    def count(self) -> Encoded:
        """A question for the number of the prompt's tokens, to which what decodes the answer does not matter."""
        return self._encoded("/messages/count_tokens", self._prompt(self._thinking()))

    def _prompt(self, thinking: Thinking) -> dict[str, Any]:
        """What a call and a count of its tokens have in common."""
        request, carrying, params = self._request, self._carrying, self._request.params
        if request.embed is not None or request.rank is not None:
            raise InvalidInput(
                f"Anthropic does no {request.operation}.", kept="Nothing was sent.", hint="Call another provider."
            )
        body: dict[str, Any] = carrying.foreign(NAME, request) | params.extra
        conversation = Conversation(request, model=self._model, carrying=carrying)
        body["model"] = self._model
        body["messages"] = conversation.turns
        if conversation.system:
            body["system"] = conversation.system
        if tools := [written for tool in request.tools if (written := self._tool(tool)) is not None]:
            body["tools"] = tools
        if (choice := self._tool_choice(bool(tools))) is not None:
            body["tool_choice"] = choice
        if thinking.thinking is not None:
            body["thinking"] = thinking.thinking
        if output := self._output(params, thinking):
            body["output_config"] = (body.get("output_config") or {}) | output
        return body

    def _thinking(self) -> Thinking:
        params = self._request.params
        return thinking_out(
            params.reasoning,
            as_it_came=self._request.wire == NAME,
            adaptive=self._adaptive,
            max_tokens=params.max_tokens,
            carrying=self._carrying,
        )

    def _output(self, params: Parameters, thinking: Thinking) -> dict[str, Any]:
        output: dict[str, Any] = {} if thinking.effort is None else {"effort": thinking.effort}
        if params.response_schema is not None:
            output["format"] = {"type": "json_schema", "schema": params.response_schema}
        return output

    def _encoded(self, path: str, body: dict[str, Any]) -> Encoded:
        return Encoded(
            path=path,
            body=msgspec.json.encode(body),
            headers=dict(self._request.headers) if self._request.wire == NAME else {},
            dropped=self._carrying.dropped,
            emulated=self._carrying.emulated,
        )

    def _tool(self, tool: Tool) -> dict[str, Any] | None:
        if tool.hosted:
            if self._as_it_came:
                return tool.hosted
            self._carrying.cannot("tools", f"`{tool.name}` is run by the provider of another wire")
            return None
        written: dict[str, Any] = {"name": tool.name, "input_schema": {"type": "object"} | tool.parameters}
        if tool.told:
            written["description"] = tool.told
        if tool.strict is not None:
            written["strict"] = tool.strict
        if tool.eager is not None:
            written["eager_input_streaming"] = tool.eager
        return written | cache_out(tool.cache)

    def _tool_choice(self, tools: bool) -> dict[str, Any] | None:
        request = self._request
        choice: dict[str, Any] | None = None
        match request.tool_choice:
            case None:
                pass
            case str(word) if word in _CHOICES:
                choice = {"type": _CHOICES[word]}
            case _ if request.forced_tool is not None:
                choice = {"type": "tool", "name": request.forced_tool}
            case _:
                self._carrying.cannot("tool_choice", "Anthropic takes any tool, one named tool, or none")
        if request.params.parallel_tools is not None and tools and choice != {"type": "none"}:
            choice = (choice or {"type": "auto"}) | {"disable_parallel_tool_use": not request.params.parallel_tools}
        if not tools and choice in ({"type": "auto"}, {"type": "none"}):
            return None  # says nothing, and Anthropic refuses it without tools
        return choice
