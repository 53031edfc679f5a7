"""What callers can ask for, in the words of each wire that they speak, and how to see that it has arrived."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from noria.core.citing import together
from noria.core.messages import AudioPart, FilePart, ImagePart
from noria.core.requests import Request

Fields = dict[str, Any]
PNG = "iVBORw0KGgo4242"
PDF = "JVBERi0xLjc4242"
SCHEMA: Fields = {"type": "object", "properties": {"city4242": {"type": "string"}}, "required": ["city4242"]}
WORD = "word4242"


class Feature(NamedTuple):
    """One thing that a caller may ask for."""

    name: str
    bodies: dict[str, Fields]
    """The fields that ask for it, by wire in; a wire that is missing has no words for it."""
    arrived: Callable[[Request], Any]
    """Whether a request that was read from what was sent asks for it."""
    marks: tuple[str, ...] = (WORD,)
    """What of it a body must hold, where the dialect is only ever written: any of these."""
    partly: tuple[str, ...] = ()
    """What of it a body holds that carries it in part."""


def said(text: Any, role: str = "user") -> Fields:
    return {"messages": [{"role": role, "content": text}]}


def contents(*parts: Fields, role: str = "user") -> Fields:
    return {"contents": [{"role": role, "parts": list(parts)}]}


def item(*parts: Fields) -> Fields:
    return {"input": [{"type": "message", "role": "user", "content": list(parts)}]}


def parts_of(kind: type) -> Callable[[Request], Any]:
    return lambda request: any(
        isinstance(part, kind)
        for message in request.messages
        if not isinstance(message.content, str)
        for part in message.content
    )


def cached(request: Request) -> bool:
    parts = [part for m in request.messages if not isinstance(m.content, str) for part in m.content]
    return any(getattr(part, "cache", None) for part in parts)


CHAT_TOOL: Fields = {"type": "function", "function": {"name": "tool4242", "parameters": SCHEMA}}
TOOL: Fields = {"name": "tool4242", "parameters": SCHEMA}
CLAUDE_TOOL: Fields = {"name": "tool4242", "input_schema": SCHEMA}
GOOGLE_TOOL: Fields = {"tools": [{"functionDeclarations": [{"name": "tool4242", "parametersJsonSchema": SCHEMA}]}]}
CHAT_TOOLS: Fields = {"tools": [CHAT_TOOL]}
RESPONSES_TOOLS: Fields = {"tools": [{"type": "function", **TOOL}]}
CLAUDE_TOOLS: Fields = {"tools": [CLAUDE_TOOL]}
CALLS = [("call_a", "tool4242", {"city4242": WORD}), ("call_b", "tool4242", {"city4242": "x"})]


def turn_chat() -> Fields:
    calls = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for id, name, given in CALLS
    ]
    results = [{"role": "tool", "tool_call_id": id, "content": f"{WORD} {id}"} for id, _, _ in CALLS]
    asked = {"role": "user", "content": "hi"}
    return CHAT_TOOLS | {"messages": [asked, {"role": "assistant", "content": None, "tool_calls": calls}, *results]}


def turn_responses() -> Fields:
    calls = [
        {"type": "function_call", "call_id": id, "name": name, "arguments": json.dumps(given)}
        for id, name, given in CALLS
    ]
    results = [{"type": "function_call_output", "call_id": id, "output": f"{WORD} {id}"} for id, _, _ in CALLS]
    return RESPONSES_TOOLS | {"input": [{"role": "user", "content": "hi"}, *calls, *results]}


def turn_claude() -> Fields:
    calls = [{"type": "tool_use", "id": id, "name": name, "input": given} for id, name, given in CALLS]
    results = [{"type": "tool_result", "tool_use_id": id, "content": f"{WORD} {id}"} for id, _, _ in CALLS]
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": calls},
        {"role": "user", "content": results},
    ]
    return CLAUDE_TOOLS | {"messages": turns}


def turn_google() -> Fields:
    calls = [{"functionCall": {"id": id, "name": name, "args": given}} for id, name, given in CALLS]
    results = [
        {"functionResponse": {"id": id, "name": name, "response": {"output": f"{WORD} {id}"}}} for id, name, _ in CALLS
    ]
    turns = [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": calls},
        {"role": "user", "parts": results},
    ]
    return GOOGLE_TOOL | {"contents": turns}


def config(**fields: Any) -> Fields:
    return {"generationConfig": fields}


FEATURES = [
    Feature(
        "text",
        {
            "openai_chat": said(WORD),
            "openai_responses": {"input": WORD},
            "anthropic": said(WORD),
            "google": contents({"text": WORD}),
        },
        lambda r: WORD in r.messages[-1].text,
    ),
    Feature(
        "system prompt",
        {
            "openai_chat": {"messages": [{"role": "system", "content": WORD}, {"role": "user", "content": "hi"}]},
            "openai_responses": {"instructions": WORD},
            "anthropic": {"system": WORD},
            "google": {"systemInstruction": {"parts": [{"text": WORD}]}},
        },
        lambda r: r.messages[0].role in {"system", "developer"} and r.messages[0].text == WORD,
    ),
    Feature(
        "image, its bytes",
        {
            "openai_chat": said([{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]),
            "openai_responses": item({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}),
            "anthropic": said(
                [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]
            ),
            "google": contents({"inlineData": {"mimeType": "image/png", "data": PNG}}),
        },
        parts_of(ImagePart),
        (PNG,),
    ),
    Feature(
        "image, its address",
        {
            "openai_chat": said([{"type": "image_url", "image_url": {"url": f"https://x.example/{WORD}.png"}}]),
            "openai_responses": item({"type": "input_image", "image_url": f"https://x.example/{WORD}.png"}),
            "anthropic": said([{"type": "image", "source": {"type": "url", "url": f"https://x.example/{WORD}.png"}}]),
            "google": contents({"fileData": {"mimeType": "image/png", "fileUri": f"https://x.example/{WORD}.png"}}),
        },
        parts_of(ImagePart),
    ),
    Feature(
        "PDF",
        {
            "openai_chat": said([{"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}"}}]),
            "openai_responses": item({"type": "input_file", "file_data": f"data:application/pdf;base64,{PDF}"}),
            "anthropic": said(
                [{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}]
            ),
            "google": contents({"inlineData": {"mimeType": "application/pdf", "data": PDF}}),
        },
        parts_of(FilePart),
        (PDF,),
    ),
    Feature(
        "the name of a file",
        {
            "openai_chat": said(
                [{"type": "file", "file": {"file_data": "data:text/plain;base64,eA==", "filename": f"{WORD}.txt"}}]
            ),
            "openai_responses": item(
                {"type": "input_file", "file_data": "data:text/plain;base64,eA==", "filename": f"{WORD}.txt"}
            ),
            "anthropic": said(
                [
                    {
                        "type": "document",
                        "title": f"{WORD}.txt",
                        "source": {"type": "text", "media_type": "text/plain", "data": "x"},
                    }
                ]
            ),
            "google": contents(
                {"inlineData": {"mimeType": "text/plain", "data": "eA==", "displayName": f"{WORD}.txt"}}
            ),
        },
        lambda r: any(isinstance(part, FilePart) and part.name == f"{WORD}.txt" for part in r.messages[-1].content),
    ),
    Feature(
        "audio",
        {
            "openai_chat": said([{"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}}]),
            "openai_responses": item({"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}}),
            "google": contents({"inlineData": {"mimeType": "audio/wav", "data": PNG}}),
        },
        parts_of(AudioPart),
        (PNG,),
    ),
    Feature(
        "documents to cite",
        {
            "anthropic": said(
                [
                    {
                        "type": "document",
                        "source": {"type": "text", "media_type": "text/plain", "data": WORD},
                        "citations": {"enabled": True},
                    }
                ]
            ),
        },
        lambda r: any(getattr(part, "cite", False) for m in r.messages for part in m.content),
        (WORD, "d29yZDQyNDI="),
    ),
    Feature(
        "cache mark",
        {
            "openai_chat": said([{"type": "text", "text": WORD, "cache_control": {"type": "ephemeral"}}]),
            "anthropic": said([{"type": "text", "text": WORD, "cache_control": {"type": "ephemeral"}}]),
        },
        cached,
        ("cachePoint", "cache_control"),
    ),
    Feature(
        "tools",
        {
            "openai_chat": CHAT_TOOLS,
            "openai_responses": RESPONSES_TOOLS,
            "anthropic": CLAUDE_TOOLS,
            "google": GOOGLE_TOOL,
        },
        lambda r: r.tools and r.tools[0].name == "tool4242" and "city4242" in str(r.tools[0].parameters),
        ("tool4242",),
    ),
    Feature(
        "one call at a time",
        {
            "openai_chat": CHAT_TOOLS | {"parallel_tool_calls": False},
            "openai_responses": RESPONSES_TOOLS | {"parallel_tool_calls": False},
            "anthropic": CLAUDE_TOOLS | {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        },
        lambda r: r.params.parallel_tools is False,
        ("parallel",),
    ),
    Feature(
        "a named tool",
        {
            "openai_chat": CHAT_TOOLS | {"tool_choice": {"type": "function", "function": {"name": "tool4242"}}},
            "openai_responses": RESPONSES_TOOLS | {"tool_choice": {"type": "function", "name": "tool4242"}},
            "anthropic": CLAUDE_TOOLS | {"tool_choice": {"type": "tool", "name": "tool4242"}},
            "google": GOOGLE_TOOL
            | {"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["tool4242"]}}},
        },
        lambda r: r.forced_tool == "tool4242",
        ("REQUIRED", "toolChoice"),
    ),
    Feature(
        "results of parallel calls",
        {
            "openai_chat": turn_chat(),
            "openai_responses": turn_responses(),
            "anthropic": turn_claude(),
            "google": turn_google(),
        },
        lambda r: (
            [len(m.tool_calls) for m in r.messages if m.tool_calls] == [2]
            and [WORD in m.text for m in r.messages if m.role == "tool"] == [True, True]
        ),
    ),
    Feature(
        "JSON schema",
        {
            "openai_chat": {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "c", "schema": SCHEMA, "strict": True},
                }
            },
            "openai_responses": {"text": {"format": {"type": "json_schema", "name": "c", "schema": SCHEMA}}},
            "anthropic": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
            "google": config(responseMimeType="application/json", responseJsonSchema=SCHEMA),
        },
        lambda r: "city4242" in str(r.params.response_schema),
        ("city4242",),
    ),
    Feature(
        "JSON object",
        {
            "openai_chat": {"response_format": {"type": "json_object"}},
            "openai_responses": {"text": {"format": {"type": "json_object"}}},
            "google": config(responseMimeType="application/json"),
        },
        lambda r: r.params.response_json,
        ("json_object",),
    ),
    Feature(
        "thinking",
        {
            "openai_chat": {"reasoning_effort": "high"},
            "openai_responses": {"reasoning": {"effort": "high"}},
            "anthropic": {"thinking": {"type": "enabled", "budget_tokens": 16384}, "max_tokens": 20000},
            "google": config(thinkingConfig={"thinkingBudget": 16384}),
        },
        lambda r: r.params.reasoning and (r.params.reasoning.tokens == 16384 or r.params.reasoning.effort == "high"),
        ("16384", "high"),
    ),
    Feature(
        "a tool that failed",
        {
            "anthropic": {
                "messages": [
                    {"role": "user", "content": "hi"},
                    {
                        "role": "assistant",
                        "content": [{"type": "tool_use", "id": "t1", "name": "tool4242", "input": {}}],
                    },
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": WORD}],
                    },
                ]
            },
            "google": {
                "contents": [
                    {"role": "user", "parts": [{"text": "hi"}]},
                    {"role": "model", "parts": [{"functionCall": {"name": "tool4242", "args": {}}}]},
                    {
                        "role": "user",
                        "parts": [{"functionResponse": {"name": "tool4242", "response": {"error": WORD}}}],
                    },
                ]
            },
        },
        lambda request: request.messages[-1].tool_failed,
        ('"status":"error"',),
    ),
    Feature(
        "citations, second turn",
        {
            "openai_chat": {
                "messages": [
                    {"role": "user", "content": "hi"},
                    {
                        "role": "assistant",
                        "content": "a",
                        "annotations": [
                            {
                                "type": "url_citation",
                                "url_citation": {"url": WORD, "title": "t", "start_index": 0, "end_index": 1},
                            }
                        ],
                    },
                    {"role": "user", "content": "go on"},
                ]
            },
            "openai_responses": {
                "input": [
                    {"role": "user", "content": "hi"},
                    {
                        "role": "assistant",
                        "content": [
                            {
                                "type": "output_text",
                                "text": "a",
                                "annotations": [
                                    {
                                        "type": "url_citation",
                                        "url": WORD,
                                        "title": "t",
                                        "start_index": 0,
                                        "end_index": 1,
                                    }
                                ],
                            }
                        ],
                    },
                    {"role": "user", "content": "go on"},
                ]
            },
            "anthropic": {
                "messages": [
                    {"role": "user", "content": "hi"},
                    {
                        "role": "assistant",
                        "content": [
                            {
                                "type": "text",
                                "text": "a",
                                "citations": [
                                    {
                                        "type": "char_location",
                                        "cited_text": "b",
                                        "document_index": 0,
                                        "document_title": WORD,
                                        "start_char_index": 0,
                                        "end_char_index": 1,
                                    }
                                ],
                            }
                        ],
                    },
                    {"role": "user", "content": "go on"},
                ]
            },
        },
        lambda request: together(request.messages[1]),
    ),
    Feature(
        "sealed thinking, second turn",
        {
            "openai_chat": {
                "messages": [
                    {"role": "user", "content": "hi"},
                    {
                        "role": "assistant",
                        "content": "a",
                        "reasoning_details": [{"type": "reasoning.text", "text": WORD, "signature": "c2VhbDQyNDI="}],
                    },
                    {"role": "user", "content": "go on"},
                ]
            },
            "openai_responses": {
                "input": [
                    {"role": "user", "content": "hi"},
                    {
                        "type": "reasoning",
                        "id": "rs_1",
                        "summary": [{"type": "summary_text", "text": WORD}],
                        "encrypted_content": "c2VhbDQyNDI=",
                    },
                    {"role": "assistant", "content": "a"},
                    {"role": "user", "content": "go on"},
                ]
            },
            "anthropic": {
                "messages": [
                    {"role": "user", "content": "hi"},
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "thinking", "thinking": WORD, "signature": "c2VhbDQyNDI="},
                            {"type": "text", "text": "a"},
                        ],
                    },
                    {"role": "user", "content": "go on"},
                ]
            },
            "google": {
                "contents": [
                    {"role": "user", "parts": [{"text": "hi"}]},
                    {"role": "model", "parts": [{"text": "a", "thoughtSignature": "c2VhbDQyNDI="}]},
                    {"role": "user", "parts": [{"text": "go on"}]},
                ]
            },
        },
        lambda r: any(t.signature.endswith("c2VhbDQyNDI=") for m in r.messages for t in m.thoughts),
        ("c2VhbDQyNDI=",),
        (WORD, '"a"'),
    ),
    Feature(
        "temperature",
        {
            "openai_chat": {"temperature": 0.42},
            "openai_responses": {"temperature": 0.42},
            "anthropic": {"temperature": 0.42},
            "google": config(temperature=0.42),
        },
        lambda r: r.params.temperature == 0.42,
        ("0.42",),
    ),
    Feature(
        "token limit",
        {
            "openai_chat": {"max_completion_tokens": 4242},
            "openai_responses": {"max_output_tokens": 4242},
            "anthropic": {"max_tokens": 4242},
            "google": config(maxOutputTokens=4242),
        },
        lambda r: r.params.max_tokens == 4242,
        ("4242",),
    ),
    Feature(
        "stop",
        {
            "openai_chat": {"stop": [WORD]},
            "anthropic": {"stop_sequences": [WORD]},
            "google": config(stopSequences=[WORD]),
        },
        lambda r: r.params.stop == (WORD,),
    ),
    Feature(
        "seed",
        {"openai_chat": {"seed": 4242}, "google": config(seed=4242)},
        lambda r: r.params.seed == 4242,
        ("4242",),
    ),
    Feature(
        "top_k",
        {"openai_chat": {"top_k": 42}, "anthropic": {"top_k": 42}, "google": config(topK=42)},
        lambda r: r.params.top_k == 42,
        ("42",),
    ),
    Feature(
        "penalties",
        {"openai_chat": {"presence_penalty": 0.42}, "google": config(presencePenalty=0.42)},
        lambda r: r.params.presence_penalty == 0.42,
        ("0.42",),
    ),
    Feature("n", {"openai_chat": {"n": 3}, "google": config(candidateCount=3)}, lambda r: r.n == 3, ('"n":3',)),
    Feature(
        "log-probabilities",
        {
            "openai_chat": {"logprobs": True, "top_logprobs": 2},
            "openai_responses": {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
            "google": config(responseLogprobs=True, logprobs=2),
        },
        lambda r: r.params.logprobs == 2,
        ("logprobs", "top_n_tokens"),
    ),
    Feature(
        "a tool that the provider runs",
        {
            "openai_chat": {"tools": [{"type": "web_search_preview", "name": WORD}]},
            "openai_responses": {"tools": [{"type": "web_search", "name": WORD}]},
            "anthropic": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
            "google": {"tools": [{"googleSearch": {}}]},
        },
        lambda r: any(tool.hosted for tool in r.tools),
    ),
    Feature(
        "the wire's own fields",
        {
            "openai_chat": {"logit_bias": {"42": 1}},
            "openai_responses": {"prompt_cache_key": WORD},
            "anthropic": {"service_tier": "standard_only"},
            "google": {"safetySettings": [{"category": WORD, "threshold": "BLOCK_NONE"}]},
        },
        lambda r: bool(r.unread),
    ),
]
"""All of them, in the order of the page."""
