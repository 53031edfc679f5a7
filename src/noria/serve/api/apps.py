"""Apps, their variants and releases: promote and roll back."""

from __future__ import annotations

from collections.abc import Mapping

from litestar import Controller, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from noria.assemble import Workspace
from noria.core.apps import App, NamedVariant, Release, Share
from noria.core.errors import InvalidInput, UnknownName
from noria.serve.api.actor import ADMIN, Actor
from noria.serve.shapes import MadeVariant, NewRelease, PutApp, PutVariant, RollBack, WeightedVariant


class AppsController(Controller):
    """``/api/apps``."""

    path = "/apps"
    tags = ("apps",)

    @get(sync_to_thread=True)
    def list_apps(self, workspace: NamedDependency[Workspace]) -> list[App]:
        """Every app with its variants and the release in force."""
        return workspace.catalogue.apps.list()

    @post(sync_to_thread=True)
    def put_app(self, workspace: NamedDependency[Workspace], data: JSONBody[PutApp], actor: Actor = ADMIN) -> App:
        """Make an app, or change its description."""
        return workspace.catalogue.apps.put(data.name, data.description, by=actor)

    @get("/{name:str}", sync_to_thread=True)
    def show_app(self, workspace: NamedDependency[Workspace], name: FromPath[str]) -> App:
        """One app."""
        return workspace.catalogue.apps.get(name)

    @put("/{name:str}/variants/{variant:str}", sync_to_thread=True)
    def put_variant(
        self,
        workspace: NamedDependency[Workspace],
        name: FromPath[str],
        variant: FromPath[str],
        data: JSONBody[PutVariant],
        actor: Actor = ADMIN,
    ) -> NamedVariant:
        """Give a name to a variant; an older meaning of the name stays reachable by id."""
        made = workspace.variants.make(model=data.model, prompt=data.prompt, params=data.params)
        return workspace.catalogue.apps.add_variant(name, variant, made, by=actor)

    @get("/{name:str}/releases", sync_to_thread=True)
    def list_releases(self, workspace: NamedDependency[Workspace], name: FromPath[str]) -> list[Release]:
        """Every release, newest first: who, when, why, under which label."""
        return workspace.catalogue.apps.releases(name)

    @post("/{name:str}/releases", sync_to_thread=True)
    def promote(
        self,
        workspace: NamedDependency[Workspace],
        name: FromPath[str],
        data: JSONBody[NewRelease],
        actor: Actor = ADMIN,
    ) -> Release:
        """Put a release in force."""
        app = workspace.catalogue.apps.get(name)
        ids = {found.name: found.variant_id for found in app.variants}
        shares = [_share(name, ids, share) for share in data.shares]
        shadows = [_share(name, ids, share) for share in data.shadows]
        if not shares:
            raise InvalidInput("A release needs at least one variant.")
        experiment_id = data.experiment_id and workspace.catalogue.experiments.get(data.experiment_id).id
        return workspace.catalogue.apps.release(
            name, shares, shadows=shadows, by=actor, reason=data.reason, experiment_id=experiment_id, label=data.label
        )

    @post("/{name:str}/rollback", sync_to_thread=True)
    def roll_back(
        self, workspace: NamedDependency[Workspace], name: FromPath[str], data: JSONBody[RollBack], actor: Actor = ADMIN
    ) -> Release:
        """Go back to the release before the one in force."""
        return workspace.catalogue.apps.roll_back(name, by=actor, reason=data.reason, label=data.label)


def _share(app: str, ids: Mapping[str, str], share: WeightedVariant) -> Share:
    variant_id = ids.get(share.variant, share.variant)
    if variant_id not in ids.values():
        raise UnknownName(
            f"App {app!r} has no variant {share.variant!r}.", hint=f"It has: {', '.join(ids) or 'none yet'}."
        )
    if not share.weight > 0:
        raise InvalidInput(f"The weight of {share.variant!r} is {share.weight}; it must be more than 0.")
    return Share(variant_id=variant_id, weight=share.weight)


class VariantsController(Controller):
    """``/api/variants``."""

    path = "/variants"
    tags = ("apps",)

    @post(status_code=200, sync_to_thread=True)
    def make_variant(self, workspace: NamedDependency[Workspace], data: JSONBody[PutVariant]) -> MadeVariant:
        """Resolve names to content ids, without giving the variant to an app."""
        made = workspace.variants.make(model=data.model, prompt=data.prompt, params=data.params)
        return MadeVariant(variant=made, variant_id=made.id)
