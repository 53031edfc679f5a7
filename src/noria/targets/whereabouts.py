"""Where a provider is, taken out of what it says of itself: callers are told its name, and whoever runs Noria the whole."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from noria.core.errors import NoriaError


class Whereabouts:
    """The address of one provider. It knows the host of its base URL alone, and no other that the provider may name.

    Arguments:
        base_url: of the provider.
        provider: its name, which stands in the place of the address.
    """

    def __init__(self, base_url: str, provider: str) -> None:
        self._host = (urlsplit(base_url).hostname or base_url).lower()
        self._instead = f"provider `{provider}`"
        self._pattern = re.compile(
            rf"(?<![\w.-])(?:https?://)?\[?{re.escape(self._host)}\]?(?::\d+)?(?:/[\w./-]*)?(?![\w-])", re.IGNORECASE
        )

    def hide(self, error: NoriaError) -> None:
        """Name the provider where an error names its address; the sentence as it came goes on record."""
        if self._host not in error.message.lower():
            return
        said, error.message = error.message, self._pattern.sub(self._instead, error.message)
        if said != error.message:
            error.inside = f"{error.inside} In full: {said}".lstrip()
            error.args = (error.message,)
