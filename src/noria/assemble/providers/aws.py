"""Signs calls to AWS with access keys from the environment (Signature Version 4), by botocore."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from noria.core.errors import InvalidInput
from noria.settings import Provider

_SERVICE = "bedrock"


def bedrock_signer(provider: Provider) -> Callable[[str, bytes], dict[str, str]] | None:
    """What makes the headers of a call from its path and body; None where the provider has a key of its own.

    The access key is read from ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY`` and ``AWS_SESSION_TOKEN`` at every call, as
    short-lived ones are renewed there; the region from the base URL, else from ``AWS_REGION``. botocore is imported by the
    first call.
    """
    if provider.api_key_env:
        return None

    def sign(path: str, body: bytes) -> dict[str, str]:
        url = provider.base_url.rstrip("/") + path
        request = _botocore("awsrequest").AWSRequest("POST", url, data=body)
        _botocore("auth").SigV4Auth(_credentials(), _SERVICE, _region(provider.base_url)).add_auth(request)
        return dict(request.headers.items())

    return sign


def _botocore(module: str) -> Any:
    try:
        return importlib.import_module(f"botocore.{module}")
    except ImportError:
        raise InvalidInput(
            "Signing calls to Bedrock needs botocore, which is not installed.",
            hint="Install noria[bedrock], or name a Bedrock API key in api_key_env: it signs nothing.",
        ) from None


def _credentials() -> Any:
    access, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not (access and secret):
        raise InvalidInput(
            "A provider of kind `bedrock` without api_key_env signs its calls, and no access key is there.",
            hint="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a Bedrock API key in api_key_env.",
        )
    return _botocore("credentials").Credentials(access, secret, os.environ.get("AWS_SESSION_TOKEN") or None)


def _region(base_url: str) -> str:
    """``eu-central-1`` of ``bedrock-runtime.eu-central-1.amazonaws.com``."""
    service, _, rest = (urlsplit(base_url).hostname or "").partition(".")
    region, _, domain = rest.partition(".")
    if service.startswith("bedrock") and domain.startswith("amazonaws.com"):
        return region
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
