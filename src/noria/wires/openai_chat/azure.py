"""Azure OpenAI: the same dialect behind other URLs and another header.

Source: https://learn.microsoft.com/azure/ai-services/openai/reference (deployments, with ``api-version``) and
https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle (``/openai/v1``, without).
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from noria.core.requests import Request
from noria.wires.openai_chat.client import OpenAIChat
from noria.wires.wire import Encoded


class AzureOpenAI(OpenAIChat):
    """The Chat Completions and embeddings of one Azure resource; a model is the name of a deployment."""

    api_version: str = ""
    """Such as ``2024-10-21``: calls go to ``/openai/deployments/{model}/...`` below the resource's URL. Empty where the base
    URL ends in ``/openai/v1``, which knows no versions."""

    def headers(self, api_key: str) -> dict[str, str]:
        """Headers of a request; the key has a header of its own."""
        return super().headers("") | ({"api-key": api_key} if api_key else {})

    def encode(self, request: Request, *, stream: bool, model: str) -> Encoded:
        """The request as it is sent."""
        encoded = super().encode(request, stream=stream, model=model)
        if not self.api_version:
            return encoded
        deployment = f"/openai/deployments/{quote(model, safe='')}"
        return msgspec.structs.replace(
            encoded, path=f"{deployment}{encoded.path}?api-version={quote(self.api_version, safe='')}"
        )
