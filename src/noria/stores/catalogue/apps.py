"""Apps: variants by name, and releases, one after the other."""

from __future__ import annotations

import builtins
import math
import secrets
from collections.abc import Sequence

from sqlalchemy import JSON, ColumnElement, Connection, cast, func, insert, select, update

from noria.core.apps import PRODUCTION, App, NamedVariant, Release, Share, Variant
from noria.core.audit import SYSTEM
from noria.core.errors import Conflict, InvalidInput
from noria.core.protocols import Clock
from noria.stores.catalogue.audit import record
from noria.stores.catalogue.database import Database
from noria.stores.catalogue.names import check_label, check_name, check_text, find_id, unknown
from noria.stores.catalogue.records import decode, encode
from noria.stores.catalogue.tables import app_variants, apps, prompts, releases, variants


class Apps:
    """``catalogue.apps``."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    def put(self, name: str, description: str = "", *, by: str = SYSTEM) -> App:
        """Make the app, or give it another description; an empty one leaves what is there."""
        check_name("app", name)
        check_text("description", description)
        with self._database.write() as connection:
            made = apps.c.name == name
            if connection.execute(select(apps.c.name).where(made)).first() is None:
                values = {"name": name, "description": description, "created_ns": self._now()}
                connection.execute(insert(apps).values(values))
                record(connection, self._now, "app.made", name, by=by)
            elif description:
                connection.execute(update(apps).where(made).values(description=description))
                record(connection, self._now, "app.described", name, by=by)
            return _apps(connection, name)[0]

    def get(self, name: str) -> App:
        """The app, with its variants and the release in force. Raises ``UnknownName``."""
        with self._database.read() as connection:
            return _require(connection, name)

    def list(self) -> builtins.list[App]:
        """All apps, by name."""
        with self._database.read() as connection:
            return _apps(connection)

    def add_variant(self, app: str, name: str, variant: Variant, *, by: str) -> NamedVariant:
        """Give the app's variant ``name`` this meaning; what it meant before stays known by its id.

        Raises:
            UnknownName: no such app, or the variant's prompt is not in the catalogue.
            Conflict: a release of the app has the name for its label.
        """
        check_name("variant", name)
        check_text("name of who adds", by)
        body = encode(variant)
        named = NamedVariant(name=name, variant_id=variant.id, variant=variant)
        with self._database.write() as connection:
            found = _require(connection, app)
            if named in found.variants:
                return named
            if name in {release.label for release in found.labelled}:
                raise Conflict(f"{app}@{name} is the label of a release.", hint="Take another name.")
            if variant.prompt_id is not None:
                query = select(prompts.c.id).where(prompts.c.id == variant.prompt_id)
                if connection.execute(query).first() is None:
                    raise unknown("prompt", variant.prompt_id, ())
            keep_variant(connection, variant.id, body)
            values = {"app": app, "name": name, "variant_id": variant.id, "created_ns": self._now(), "created_by": by}
            connection.execute(insert(app_variants).values(values))
            details = {
                "variant": name,
                "variant_id": variant.id,
                "model": variant.model,
                "prompt_id": variant.prompt_id,
            }
            record(connection, self._now, "variant.added", app, by=by, **details)
        return named

    def variant(self, variant_id: str) -> Variant:
        """A variant of any app or experiment, by its id or six characters or more of it."""
        with self._database.read() as connection:
            whole = find_id(connection, variants.c.id, "variant", variant_id)
            return decode(
                connection.execute(select(variants.c.body).where(variants.c.id == whole)).scalar_one(), Variant
            )

    def release(
        self,
        app: str,
        shares: Sequence[Share],
        *,
        shadows: Sequence[Share] = (),
        by: str,
        reason: str = "",
        experiment_id: str | None = None,
        label: str = PRODUCTION,
    ) -> Release:
        """Let the app's calls be answered by these shares from now on, and mirrored to these shadows.

        Arguments:
            label: the calls of ``app@label``; ``production`` are those of the app's own name.

        Raises:
            UnknownName: no such app, or a share's variant was never one of the app's.
            InvalidInput: no shares, a variant twice, a weight that is not a number above 0, or a shadow's that is no part.
            Conflict: a variant of the app has the label for its name.
        """
        _check_shares(shares)
        _check_shadows(shadows)
        check_label(label)
        with self._database.write() as connection:
            found = _require(connection, app)
            if label != PRODUCTION and label in {variant.name for variant in found.variants}:
                raise Conflict(f"{app}@{label} is a variant.", hint="Take another label.")
            ever = select(app_variants.c.variant_id).where(app_variants.c.app == app)
            known = set(connection.execute(ever).scalars())
            for share in (*shares, *shadows):
                if share.variant_id not in known:
                    raise unknown("variant", share.variant_id, sorted(known), where=f" of app {app!r}")
            made = Release(
                id=_release_id(),
                app=app,
                shares=tuple(shares),
                shadows=tuple(shadows),
                created_ns=self._now(),
                created_by=by,
                reason=reason,
                experiment_id=experiment_id,
                label=label,
            )
            self._append(connection, made)
        return made

    def roll_back(self, app: str, *, by: str, reason: str = "", label: str = PRODUCTION) -> Release:
        """Go back to the release before the one in force under the label, as a new release that says so.

        A second rollback goes further back: what was taken back is not returned to.

        Raises:
            UnknownName: no such app.
            Conflict: there is no release before the one in force.
        """
        with self._database.write() as connection:
            _require(connection, app)
            standing = _standing([made for made in _releases(connection, app) if made.label == label])
            if len(standing) < 2:
                state = "its first release" if standing else "no release"
                where = "" if label == PRODUCTION else f" labelled {label!r}"
                raise Conflict(f"App {app!r} has {state}{where}, so there is nothing to roll back to.")
            made = Release(
                id=_release_id(),
                app=app,
                shares=standing[-2].shares,
                shadows=standing[-2].shadows,
                created_ns=self._now(),
                created_by=by,
                reason=reason,
                rolled_back_from=standing[-1].id,
                label=label,
            )
            self._append(connection, made)
        return made

    def releases(self, app: str) -> builtins.list[Release]:
        """All releases, newest first; the first of each label is in force."""
        with self._database.read() as connection:
            _require(connection, app)
            return _releases(connection, app)[::-1]

    def _append(self, connection: Connection, made: Release) -> None:
        connection.execute(insert(releases).values(id=made.id, app=made.app, body=encode(made)))
        action = "release.promoted" if made.rolled_back_from is None else "release.rolled_back"
        details = {
            "release_id": made.id,
            "shares": {share.variant_id: share.weight for share in made.shares},
            **({"shadows": {share.variant_id: share.weight for share in made.shadows}} if made.shadows else {}),
            "reason": made.reason,
            "experiment_id": made.experiment_id,
            "rolled_back_from": made.rolled_back_from,
            **({} if made.label == PRODUCTION else {"label": made.label}),
        }
        record(connection, self._now, action, made.app, by=made.created_by, **details)


def keep_variant(connection: Connection, variant_id: str, body: str) -> None:
    """Store a variant's content, once."""
    if connection.execute(select(variants.c.id).where(variants.c.id == variant_id)).first() is None:
        connection.execute(insert(variants).values(id=variant_id, body=body))


def check_app(connection: Connection, name: str) -> None:
    """Raise ``UnknownName`` unless the app is there."""
    check_name("app", name)
    if connection.execute(select(apps.c.name).where(apps.c.name == name)).first() is None:
        raise unknown("app", name, sorted(connection.execute(select(apps.c.name)).scalars()))


def _require(connection: Connection, name: str) -> App:
    check_app(connection, name)
    return _apps(connection, name)[0]


def _apps(connection: Connection, name: str | None = None) -> list[App]:
    """Apps with variants and releases: three queries, however many apps."""
    newest = select(func.max(app_variants.c.seq)).group_by(app_variants.c.app, app_variants.c.name)
    in_force = select(func.max(releases.c.seq)).group_by(releases.c.app, _label(connection))
    of_apps = select(apps).order_by(apps.c.name)
    of_variants = (
        select(app_variants.c.app, app_variants.c.name, app_variants.c.variant_id, variants.c.body)
        .join(variants, variants.c.id == app_variants.c.variant_id)
        .where(app_variants.c.seq.in_(newest))
        .order_by(app_variants.c.name)
    )
    of_releases = select(releases.c.body).where(releases.c.seq.in_(in_force))
    if name is not None:
        of_apps = of_apps.where(apps.c.name == name)
        of_variants = of_variants.where(app_variants.c.app == name)
        of_releases = of_releases.where(releases.c.app == name)
    named: dict[str, list[NamedVariant]] = {}
    for row in connection.execute(of_variants):
        variant = NamedVariant(name=row.name, variant_id=row.variant_id, variant=decode(row.body, Variant))
        named.setdefault(row.app, []).append(variant)
    released: dict[str, dict[str, Release]] = {}
    for body in connection.execute(of_releases).scalars():
        release = decode(body, Release)
        released.setdefault(release.app, {})[release.label] = release
    return [
        App(
            name=row.name,
            description=row.description,
            variants=tuple(named.get(row.name, ())),
            release=released.get(row.name, {}).get(PRODUCTION),
            labelled=tuple(
                release for label, release in sorted(released.get(row.name, {}).items()) if label != PRODUCTION
            ),
            created_ns=row.created_ns,
        )
        for row in connection.execute(of_apps)
    ]


def _label(connection: Connection) -> ColumnElement[str]:
    """The label in a release's body; nothing for ``production``, which is left out there."""
    if connection.dialect.name == "sqlite":
        return func.json_extract(releases.c.body, "$.label")
    return func.json_extract_path_text(cast(releases.c.body, JSON), "label")


def _check_shares(shares: Sequence[Share]) -> None:
    if not shares:
        raise InvalidInput("A release needs at least one variant.")
    if len({share.variant_id for share in shares}) < len(shares):
        raise InvalidInput("A release names each variant once.", hint="Add up the weights.")
    for share in shares:
        if not (math.isfinite(share.weight) and share.weight > 0):
            raise InvalidInput(f"The weight {share.weight} of {share.variant_id} is not a number above 0.")


def _check_shadows(shadows: Sequence[Share]) -> None:
    if len({share.variant_id for share in shadows}) < len(shadows):
        raise InvalidInput("A release names each shadow once.")
    for share in shadows:
        if not 0 < share.weight <= 1:
            raise InvalidInput(
                f"The part {share.weight} of the calls, for the shadow {share.variant_id}, is not above 0 and at most 1."
            )


def _release_id() -> str:
    return f"release_{secrets.token_hex(16)}"


def _releases(connection: Connection, app: str) -> list[Release]:
    """All releases, oldest first."""
    query = select(releases.c.body).where(releases.c.app == app).order_by(releases.c.seq)
    return [decode(body, Release) for body in connection.execute(query).scalars()]


def _standing(history: Sequence[Release]) -> list[Release]:
    """What is left when each rollback has undone the release before it; the last is in force."""
    standing: list[Release] = []
    for release in history:
        if release.rolled_back_from is None:
            standing.append(release)
        else:  # it takes the last one back, and stands for the one before that
            standing[-2:] = [release]
    return standing
