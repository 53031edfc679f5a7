"""Servers of models: what can be said of one, and those that are known."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from noria.core.struct import Noun

Extension = Literal[
    "top_k", "cache_control", "reasoning_content", "reasoning_details", "thinking_blocks", "extra_content"
]


KINDS = (
    "anthropic",
    "bedrock",
    "cohere",
    "openai",
    "openai_responses",
    "azure",
    "google",
    "vertex",
    "litellm",
    "tei",
    "tgi",
)
"""What ``kind`` of a provider may be; what each speaks is chosen in :mod:`noria.assemble.providers.configured`."""


class Provider(Noun, forbid_unknown_fields=True):
    """A server that models are called on, as ``<its name>/<model>``."""

    base_url: str
    """Base URL, such as ``https://api.example.com/v1``."""
    kind: str = "openai"
    """What it speaks: one of :data:`KINDS`."""
    api_key_env: str = ""
    """Environment variable that holds the key; empty sends none. The key itself never stands in a file."""
    api_key_file: str = ""
    """File that holds the key instead; nobody but its owner may be able to read it."""
    headers: dict[str, str] = {}
    """Further headers of every request, such as ``HTTP-Referer``; never a key."""
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """How the server names the limit on generated tokens; OpenAI's newer models take ``max_completion_tokens``."""
    extensions: tuple[Extension, ...] = ("top_k", "reasoning_content")
    """What the server takes beside OpenAI's own fields: ``top_k``; ``cache_control`` on parts and tools; earlier thinking as
    ``reasoning_content``, ``reasoning_details`` or ``thinking_blocks``; seals on tool calls in ``extra_content``."""
    schemas: bool = True
    """For kind ``openai``: the server holds replies to JSON schemas; else they are asked for in words and checked here."""
    api_version: str = ""
    """For kind ``azure``: the version of the API, such as ``2024-10-21``; empty calls the versionless ``/openai/v1``."""
    responses: tuple[str, ...] = ()
    """For kinds ``openai`` and ``azure``: models that are called by OpenAI's Responses, ``*`` for any letters; all others are
    called by Chat Completions."""
    chat_template: str = ""
    """For kind ``tgi``: the model's chat template, in Jinja; empty: only a single user message can be sent."""
    stream: bool = True
    """Ask for streamed replies, so that time to first token is seen. Turn off for servers that cannot."""
    private: bool = False
    """The host of the base URL may be a name for an address that is not public, such as that of another container."""
    connect_timeout_s: float = 10.0
    """Seconds to reach the server."""
    first_token_timeout_s: float = 120.0
    """Seconds from the request to the first piece of the reply."""
    idle_timeout_s: float = 60.0
    """Seconds between pieces of the reply."""
    total_timeout_s: float = 600.0
    """Seconds for the whole call."""
    attempts: int = 3
    """Tries of a call that fails before its first token in a way that may pass."""
    retry_share: Annotated[float, msgspec.Meta(ge=0)] = 0.2
    """Further tries that there may be for each call, on average; a few are allowed without any traffic."""
    breaker_error_rate: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    """Part of a model's calls that must fail within the window for it to be left alone for a while; 0 never does."""
    breaker_calls: Annotated[int, msgspec.Meta(ge=1)] = 20
    """Calls that must have ended within the window before that part says anything."""
    breaker_window_s: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """The window, seconds."""
    breaker_open_s: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    """Seconds that a model is left alone the first time; twice as long each further time in a row, up to a minute."""
    max_calls: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Calls to the server at a time; 0 for any number."""
    max_waiting: Annotated[int, msgspec.Meta(ge=0)] = 100
    """Calls that may wait for one of those places, ten seconds at most; further ones are turned away at once."""


BUILT_IN_PROVIDERS: dict[str, Provider] = {
    "anthropic": Provider(kind="anthropic", base_url="https://api.anthropic.com/v1", api_key_env="ANTHROPIC_API_KEY"),
    "cerebras": Provider(base_url="https://api.cerebras.ai/v1", api_key_env="CEREBRAS_API_KEY"),
    "cohere": Provider(base_url="https://api.cohere.com/v2", kind="cohere", api_key_env="CO_API_KEY"),
    "deepinfra": Provider(base_url="https://api.deepinfra.com/v1/openai", api_key_env="DEEPINFRA_API_KEY"),
    "deepseek": Provider(base_url="https://api.deepseek.com/v1", api_key_env="DEEPSEEK_API_KEY", schemas=False),
    "fireworks": Provider(base_url="https://api.fireworks.ai/inference/v1", api_key_env="FIREWORKS_API_KEY"),
    "google": Provider(
        kind="google", base_url="https://generativelanguage.googleapis.com/v1beta", api_key_env="GEMINI_API_KEY"
    ),
    "groq": Provider(base_url="https://api.groq.com/openai/v1", api_key_env="GROQ_API_KEY", extensions=()),
    "huggingface": Provider(base_url="https://router.huggingface.co/v1", api_key_env="HF_TOKEN"),
    "mistral": Provider(base_url="https://api.mistral.ai/v1", api_key_env="MISTRAL_API_KEY", extensions=()),
    "nvidia": Provider(base_url="https://integrate.api.nvidia.com/v1", api_key_env="NVIDIA_API_KEY"),
    "openai": Provider(
        base_url="https://api.openai.com/v1",
        api_key_env="OPENAI_API_KEY",
        limit_field="max_completion_tokens",
        extensions=(),
    ),
    "openrouter": Provider(
        base_url="https://openrouter.ai/api/v1",
        api_key_env="OPENROUTER_API_KEY",
        extensions=("top_k", "cache_control", "reasoning_details"),
    ),
    "perplexity": Provider(base_url="https://api.perplexity.ai", api_key_env="PERPLEXITY_API_KEY"),
    "together": Provider(base_url="https://api.together.xyz/v1", api_key_env="TOGETHER_API_KEY"),
    "xai": Provider(base_url="https://api.x.ai/v1", api_key_env="XAI_API_KEY"),
}
"""Providers that need no entry in the file, only their key in the environment."""
