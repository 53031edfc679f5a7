"""Providers' keys that are stored encrypted, each for the base URL that its provider has."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from noria.assemble.clock import now
from noria.core.errors import UnknownName
from noria.core.secrets import StoredSecret
from noria.settings import Settings
from noria.stores.catalogue.audit import Audit
from noria.stores.secrets import SecretsFolder, master_key


class ProviderKeys:
    """Stores and deletes them, and tells the audit log.

    Arguments:
        settings: gives the settings in force: which providers there are, and where.
        environ: where the master key is.
        audit: is told who did it.
        made_known: is told each new key, which no error may show.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        environ: Mapping[str, str],
        audit: Audit,
        made_known: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._audit = audit
        self._made_known = made_known

    @functools.cached_property
    def _folder(self) -> SecretsFolder:
        folder, environ = self._settings().folder, self._environ

        def master() -> bytes:
            return master_key(environ.get("NORIA_SECRETS_KEY", ""), environ.get("NORIA_SECRETS_KEY_FILE", ""), folder)

        return SecretsFolder(folder / "secrets", master, now)

    def get(self, provider: str, base_url: str) -> str | None:
        """A provider's key for this base URL, for calls alone, see :meth:`SecretsFolder.get`."""
        return self._folder.get(provider, base_url)

    def list(self) -> list[StoredSecret]:
        """Whose keys are stored, and for which base URLs."""
        return self._folder.list()

    def put(self, provider: str, key: str, *, by: str) -> StoredSecret:
        """Store a provider's key for its base URL. Raises ``UnknownName`` and ``InvalidInput``."""
        there = self._settings().provider(provider)
        if there is None:
            raise UnknownName(f"There is no provider {provider[:80]!r}.", hint="Add it to noria.toml first.")
        made = self._folder.put(provider, there.base_url, key)
        self._made_known(key)
        self._audit.add("secret.set", provider, by=by, base_url=made.base_url)
        return made

    def remove(self, provider: str, *, by: str) -> StoredSecret:
        """Delete a provider's stored key. Raises ``UnknownName``."""
        gone = self._folder.remove(provider)
        self._audit.add("secret.removed", provider, by=by, base_url=gone.base_url)
        return gone
