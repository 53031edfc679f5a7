"""Keys of providers that are stored encrypted. They come in; nothing here gives one out."""

from __future__ import annotations

from litestar import Controller, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from noria.assemble import Workspace
from noria.core.secrets import StoredSecret
from noria.serve.api.actor import ADMIN, Actor
from noria.serve.shapes import PutSecret


class SecretsController(Controller):
    """``/api/secrets``."""

    path = "/secrets"
    tags = ("secrets",)

    @get(sync_to_thread=True)
    def list_secrets(self, workspace: NamedDependency[Workspace]) -> list[StoredSecret]:
        """Providers with a stored key, and the base URL that each may be sent to."""
        return workspace.provider_keys.list()

    @put(sync_to_thread=True)
    def set_secret(
        self, workspace: NamedDependency[Workspace], data: JSONBody[PutSecret], actor: Actor = ADMIN
    ) -> StoredSecret:
        """Store a provider's key, bound to the base URL that the provider has now."""
        return workspace.provider_keys.put(data.provider, data.key, by=actor)

    @delete("/{provider:str}", status_code=200, sync_to_thread=True)
    def remove_secret(
        self, workspace: NamedDependency[Workspace], provider: FromPath[str], actor: Actor = ADMIN
    ) -> StoredSecret:
        """Delete a provider's stored key."""
        return workspace.provider_keys.remove(provider, by=actor)
