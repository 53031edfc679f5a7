"""The secrets that this process knows: what no sentence of a provider may carry to a caller or onto the record."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from noria.settings import BUILT_IN_PROVIDERS, Settings

_ENDINGS = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_CREDENTIALS")
"""How the names of environment variables end that hold secrets."""
_NAMED = frozenset({"authorization", "proxy-authorization", "cookie"})
_WORDS = ("key", "token", "secret", "auth", "password")
"""What names of headers hold that carry one."""


def known(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    """Those of the configuration and the environment. Keys that are in files, or stored, are known once they are read."""
    yield from _of_environment(settings, environ)
    yield from _of_settings(settings)


def _of_environment(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    providers = BUILT_IN_PROVIDERS | settings.providers
    named = {provider.api_key_env for provider in providers.values()}
    for name, value in environ.items():
        if name in named or name.upper().endswith(_ENDINGS):
            yield value


def _of_settings(settings: Settings) -> Iterator[str]:
    for provider in settings.providers.values():
        yield from _in_url(provider.base_url)
        for name, value in provider.headers.items():
            if name.lower() in _NAMED or any(word in name.lower() for word in _WORDS):
                yield value
                yield value.rpartition(" ")[2]  # behind `Bearer`
    for url in (settings.catalogue, settings.traces, settings.blobs):
        yield from _in_url(url)


def _in_url(url: str) -> Iterator[str]:
    """The password of a URL, as it is written, as it is meant, and as it goes out in a header."""
    try:
        parts = urlsplit(url)
    except ValueError:  # whoever opens it says what is wrong with it
        return
    if parts.password:
        yield parts.password
        yield unquote(parts.password)
        yield base64.b64encode(unquote(parts.netloc.rpartition("@")[0]).encode()).decode()
