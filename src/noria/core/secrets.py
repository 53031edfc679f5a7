"""Provider keys that are stored: what may be known of one."""

from __future__ import annotations

from noria.core.struct import Noun


class StoredSecret(Noun):
    """A provider's key in the secrets folder, without the key."""

    provider: str
    """The provider whose key it is."""
    base_url: str
    """The only base URL that it is sent to: the one that the provider had when it was stored."""
    stored_ns: int = 0
    """When it was stored, nanoseconds since 1970 UTC."""
