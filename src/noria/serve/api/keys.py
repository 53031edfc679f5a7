"""Virtual keys: made, listed, rotated, revoked. A secret is in the answer that makes it, and in no other."""

from __future__ import annotations

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from noria.assemble import Workspace
from noria.assemble.keys.usage import KeyUsage, key_usage
from noria.assemble.record.traffic import Bucket
from noria.core.keys import EVERYTHING, Key, MadeKey
from noria.core.questions import Question
from noria.serve.api.actor import ADMIN, Actor
from noria.serve.api.finding import Since, Until
from noria.serve.api.paging import Limit
from noria.serve.shapes import NewKey, RotateKey
from noria.serve.times import moment


class KeysController(Controller):
    """``/api/keys``."""

    path = "/keys"
    tags = ("keys",)

    @post(sync_to_thread=True)
    def create(self, workspace: NamedDependency[Workspace], data: JSONBody[NewKey], actor: Actor = ADMIN) -> MadeKey:
        """Make a key. Its secret is in this answer alone: it is kept nowhere."""
        both = data.apps is None and data.models is None
        key = Key(
            id="",
            name=data.name,
            permissions=tuple(dict.fromkeys(data.permissions)),
            apps=EVERYTHING if both else data.apps or (),
            models=EVERYTHING if both else data.models or (),
            team=data.team,
            owner=data.owner,
            expires_ns=data.expires_ns,
        )
        return workspace.catalogue.keys.create(key, by=actor)

    @get()
    async def list_keys(self, workspace: NamedDependency[Workspace]) -> list[Key]:
        """Every key, newest first, revoked ones too; without their secrets, which nobody has."""
        return await workspace.keys()

    @get("/usage")
    async def usage(
        self,
        workspace: NamedDependency[Workspace],
        *,
        since: Since = None,
        until: Until = None,
        bucket: FromQuery[Bucket] = "all",
        limit: Limit = 500,
    ) -> list[KeyUsage]:
        """What each key was used for: calls, tokens, cost."""
        keys, asked = await workspace.keys(), _times(workspace, since, until)
        return await key_usage(workspace.traces, keys, asked, key=None, bucket=bucket, limit=limit)

    @get("/{ref:str}/usage")
    async def usage_of_key(
        self,
        workspace: NamedDependency[Workspace],
        ref: FromPath[str],
        *,
        since: Since = None,
        until: Until = None,
        bucket: FromQuery[Bucket] = "day",
        limit: Limit = 500,
    ) -> list[KeyUsage]:
        """What one key was used for, by day and model."""
        key, asked = await workspace.key_of(ref), _times(workspace, since, until)
        return await key_usage(workspace.traces, [key], asked, key=key, bucket=bucket, limit=limit)

    @get("/{ref:str}")
    async def show(self, workspace: NamedDependency[Workspace], ref: FromPath[str]) -> Key:
        """One key, by name or id."""
        return await workspace.key_of(ref)

    @post("/{ref:str}/rotate", status_code=200, sync_to_thread=True)
    def rotate(
        self,
        workspace: NamedDependency[Workspace],
        ref: FromPath[str],
        data: JSONBody[RotateKey],
        actor: Actor = ADMIN,
    ) -> MadeKey:
        """Give a key a new secret; the one before works on for as long as is said."""
        return workspace.catalogue.keys.rotate(ref, overlap_s=data.overlap_s, by=actor)

    @post("/{ref:str}/revoke", status_code=200, sync_to_thread=True)
    def revoke(self, workspace: NamedDependency[Workspace], ref: FromPath[str], actor: Actor = ADMIN) -> Key:
        """Let a key open nothing any more: here at once, on other servers within a second or two."""
        return workspace.catalogue.keys.revoke(ref, by=actor)


def _times(workspace: Workspace, since: str | None, until: str | None) -> Question:
    now = workspace.now()
    return Question(
        since_ns=moment(since, now) if since else None,
        until_ns=moment(until, now) if until else None,
    )
