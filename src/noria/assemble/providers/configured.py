"""Which dialect a provider speaks, and where its key is.

    kind       wire
    anthropic  Anthropic Messages
    bedrock    Amazon Bedrock's Converse, with a key of Bedrock's own, or signed
    cohere     Cohere, version 2
    openai     Chat Completions: OpenAI, and everything that is compatible with it
    openai_responses   OpenAI's Responses
    azure      Chat Completions and embeddings as Azure OpenAI serves them
    google     Gemini's API
    vertex     the same on Vertex AI, with an access token for a key
    litellm    whatever LiteLLM can call
    tei        Text Embeddings Inference
    tgi        Text Generation Inference's text endpoints

A kind is looked up here once; from there on a provider is its wire. A new dialect is one line in :data:`KINDS`, and one
in ``BUILT_IN_PROVIDERS`` for each provider of it that only needs a key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from noria.assemble.providers.aws import bedrock_signer
from noria.core.errors import InvalidInput, NoriaError, UnknownName
from noria.settings import BUILT_IN_PROVIDERS, Provider, Settings
from noria.stores.secrets import private_text
from noria.targets.egress import Egress, Timeouts
from noria.targets.litellm import LiteLLM
from noria.targets.remote import Remote
from noria.wires.anthropic import Anthropic
from noria.wires.bedrock import Bedrock
from noria.wires.cohere import Cohere
from noria.wires.google import Google
from noria.wires.openai_chat import AzureOpenAI, OpenAIChat
from noria.wires.openai_responses import AzureResponses, OpenAIResponses
from noria.wires.tgi import Tei, Tgi
from noria.wires.wire import WireOut

KINDS: Mapping[str, Callable[[Provider], WireOut]] = {
    "anthropic": lambda _: Anthropic(),
    "bedrock": lambda provider: Bedrock(sign=bedrock_signer(provider)),
    "cohere": lambda _: Cohere(),
    "openai": lambda provider: OpenAIChat(
        limit_field=provider.limit_field, extensions=provider.extensions, schemas=provider.schemas
    ),
    "openai_responses": lambda _: OpenAIResponses(),
    "azure": lambda provider: AzureOpenAI(
        limit_field=provider.limit_field, extensions=(), api_version=provider.api_version
    ),
    "google": lambda _: Google(),
    "vertex": lambda _: Google(vertex=True),
    "litellm": lambda provider: OpenAIChat(extensions=provider.extensions),
    "tei": lambda _: Tei(),
    "tgi": lambda provider: Tgi(template=provider.chat_template),
}
"""What ``kind`` of a provider may be, and the wire that it makes."""
_RESPONSES: Mapping[str, Callable[[Provider], WireOut]] = {
    "openai": lambda _: OpenAIResponses(),
    "azure": lambda provider: AzureResponses(api_version=provider.api_version),
}
"""Kinds of which some models may be called by OpenAI's Responses, and the wire of those."""
_COUNTING = frozenset({"anthropic", "google", "vertex"})
"""Kinds whose providers tell how many tokens a prompt has."""

LISTS: Mapping[str, str] = {
    "openai": "/models",
    "openai_responses": "/models",
    "anthropic": "/models?limit=1000",
    "google": "/models?pageSize=1000",
    "tgi": "/info",
    "tei": "/info",
}
"""Where a kind of provider lists its models, or says what it serves, below the base URL."""

LIBRARIES: Mapping[str, type[LiteLLM]] = {"litellm": LiteLLM}
"""Kinds that are called by a library, and not over HTTP."""


class Configured(NamedTuple):
    """A provider that can be called."""

    provider: Provider
    """Its settings."""
    wire: WireOut
    """What it speaks, save to the models that are called by OpenAI's Responses."""
    key: str
    """Its key, which no log, error or record shows; empty where none is needed."""
    library: type[LiteLLM] | None
    """What calls it instead of HTTP."""
    counts: bool
    """It tells how many tokens a prompt has."""

    def wire_of(self, model: str) -> WireOut:
        """What is spoken to one of its models."""
        if any(fnmatchcase(model, pattern) for pattern in self.provider.responses):
            return _RESPONSES[self.provider.kind](self.provider)
        return self.wire


Stored = Callable[[str, str], str | None]
"""The stored key of a provider for a base URL; None where there is none."""


def configured(
    name: str, settings: Settings, environ: Mapping[str, str], stored: Stored = lambda _, __: None
) -> Configured:
    """The provider of a name.

    Raises:
        UnknownName: there is none.
        InvalidInput: its key is not in the environment, or nobody knows its kind.
    """
    provider = settings.provider(name)
    if provider is None:
        raise _unknown(name, settings, environ)
    wire = wire_of(name, provider)
    if provider.api_key_file:
        key = _key_in_file(name, provider.api_key_file)
    else:
        key = environ.get(provider.api_key_env, "") if provider.api_key_env else ""
        key = key or stored(name, provider.base_url) or ""
    if provider.api_key_env and not key:
        raise InvalidInput(
            f"Provider {name!r} needs its key in {provider.api_key_env}, which is not set.",
            hint=f"Set {provider.api_key_env} where Noria runs; a running server has to be started again. "
            f"Or store it: noria secrets set {name}.",
        )
    return Configured(provider, wire, key, LIBRARIES.get(provider.kind), provider.kind in _COUNTING)


def _key_in_file(name: str, file: str) -> str:
    """The key that a file holds. Callers learn that there is something wrong with it, and its path only who runs Noria."""
    try:
        key = private_text(Path(file).expanduser())
        if not key:
            raise InvalidInput(f"{file} is empty.")
    except NoriaError as error:
        failure = InvalidInput(
            f"The key of provider {name!r} can't be read from its file.",
            hint="`noria gateway doctor` says where that is and what is wrong with it.",
        )
        failure.inside = str(error)
        raise failure from error
    return key


def check_known(name: str, settings: Settings, environ: Mapping[str, str]) -> None:
    """Refuse a name that is no provider's; ``local`` is one. Raises ``UnknownName``."""
    if name != "local" and settings.provider(name) is None:
        raise _unknown(name, settings, environ)


async def look(
    name: str, there: Configured, egress: Egress, timeouts: Timeouts
) -> tuple[int, Mapping[str, str], bytes]:
    """Ask a provider for its models, on the way that calls take: status, headers and body of what it answers.

    Raises:
        CallFailed: nothing answers.
        InvalidInput: it may not be called.
    """
    provider = there.provider
    remote = Remote(
        egress,
        there.wire,
        base_url=provider.base_url,
        api_key=there.key,
        headers=provider.headers,
        provider=name,
        timeouts=timeouts,
        private=provider.private,
    )
    return await remote.look(LISTS.get(provider.kind) or "/")


def wire_of(name: str, provider: Provider) -> WireOut:
    """What the provider speaks. Raises ``InvalidInput`` for a kind that nobody knows."""
    wiring = KINDS.get(provider.kind)
    if wiring is None:
        raise InvalidInput(f"Provider {name!r} is of kind {provider.kind!r}; the kinds are {', '.join(KINDS)}.")
    if provider.responses and provider.kind not in _RESPONSES:
        raise InvalidInput(
            f"Provider {name!r} is of kind {provider.kind!r}, which has no choice of `responses`.",
            hint=f"It is for the kinds {' and '.join(_RESPONSES)}.",
        )
    return wiring(provider)


def check_kinds(settings: Settings) -> None:
    """Refuse a configuration with a provider that could never be called. Raises ``InvalidInput``."""
    for name, provider in settings.providers.items():
        wire_of(name, provider)


def callable_providers(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """The configured providers, and the well-known ones whose key is in the environment."""
    built_in = [name for name, there in BUILT_IN_PROVIDERS.items() if environ.get(there.api_key_env)]
    return list(dict.fromkeys([*settings.providers, *built_in]))


def _unknown(name: str, settings: Settings, environ: Mapping[str, str]) -> UnknownName:
    known = ", ".join(dict.fromkeys(["local", *callable_providers(settings, environ)]))
    return UnknownName(
        f"There is no provider {name[:80]!r} (known: {known}).",
        hint=f"Add [providers.{name[:80]}] with a base_url to noria.toml.",
    )
