"""The Responses API as Azure OpenAI serves it: the same dialect behind other URLs and another header.

Source: https://learn.microsoft.com/azure/ai-foundry/openai/how-to/responses. Unlike in Chat Completions, the deployment
is named in the body alone.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from noria.core.requests import Request
from noria.wires.openai_chat.azure import AzureOpenAI
from noria.wires.openai_responses.client import OpenAIResponses
from noria.wires.wire import Encoded


class AzureResponses(OpenAIResponses):
    """The Responses of one Azure resource; a model is the name of a deployment."""

    api_version: str = ""
    """Such as ``2025-04-01-preview``: calls go to ``/openai/responses`` below the resource's URL. Empty where the base URL
    ends in ``/openai/v1``, which knows no versions."""

    def headers(self, api_key: str) -> dict[str, str]:
        """Headers of a request; the key has a header of its own."""
        return super().headers("") | ({"api-key": api_key} if api_key else {})

    def encode(self, request: Request, *, stream: bool, model: str) -> Encoded:
        """The request as it is sent."""
        if request.embed is not None or request.rank is not None:
            chat = AzureOpenAI(extensions=(), api_version=self.api_version)
            return chat.encode(request, stream=stream, model=model)
        encoded = super().encode(request, stream=stream, model=model)
        if not self.api_version:
            return encoded
        return msgspec.structs.replace(
            encoded, path=f"/openai{encoded.path}?api-version={quote(self.api_version, safe='')}"
        )
