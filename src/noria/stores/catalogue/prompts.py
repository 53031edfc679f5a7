"""Prompts: templates by content, versions by name, labels that point at versions."""

from __future__ import annotations

import builtins
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, tuple_

from noria.core.errors import UnknownName
from noria.core.prompts import LabelMove, Prompt, PromptVersion
from noria.core.protocols import Clock
from noria.stores.catalogue.audit import record
from noria.stores.catalogue.database import Database
from noria.stores.catalogue.names import check_label, check_name, check_text, find_id, is_prefix, only_one, starts_with
from noria.stores.catalogue.names import unknown as unknown_name
from noria.stores.catalogue.records import decode, encode
from noria.stores.catalogue.tables import label_moves, prompt_versions, prompts

_Labels = dict[tuple[str, int], tuple[str, ...]]


class Prompts:
    """``catalogue.prompts``."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    def push(self, name: str, prompt: Prompt, *, by: str, note: str = "") -> tuple[PromptVersion, bool]:
        """Store ``prompt`` as the next version of ``name``; True with it when it is new there.

        Content that the name has already comes back as the version it is, unchanged, with False.
        """
        check_name("prompt", name)
        check_text("note", note)
        check_text("name of who pushes", by)
        body = encode(prompt)
        with self._database.write() as connection:
            of_name = prompt_versions.c.name == name
            known = _versions(connection, of_name, prompt_versions.c.prompt_id == prompt.id)
            if known:
                return known[0], False
            if connection.execute(select(prompts.c.id).where(prompts.c.id == prompt.id)).first() is None:
                connection.execute(insert(prompts).values(id=prompt.id, body=body))
            last = connection.execute(select(func.max(prompt_versions.c.version)).where(of_name)).scalar()
            made = PromptVersion(
                name=name,
                version=(last or 0) + 1,
                prompt_id=prompt.id,
                prompt=prompt,
                note=note,
                created_ns=self._now(),
                created_by=by,
            )
            columns = ("name", "version", "prompt_id", "note", "created_ns", "created_by")
            connection.execute(insert(prompt_versions).values({key: getattr(made, key) for key in columns}))
            details = {"version": made.version, "prompt_id": made.prompt_id, "note": note}
            record(connection, self._now, "prompt.pushed", name, by=by, **details)
        return made, True

    def get(self, name: str, ref: str | None = None) -> PromptVersion:
        """A version of ``name``.

        Arguments:
            ref: a version number, a label, or at least six characters of the template's id; None is the latest.

        Raises:
            UnknownName: no such prompt, or no such version of it.
            InvalidInput: the id's beginning fits several versions.
        """
        with self._database.read() as connection:
            return _find(connection, name, ref)

    def by_id(self, prompt_id: str) -> Prompt:
        """The template with this id, or the only one whose id begins so (six characters at least)."""
        with self._database.read() as connection:
            whole = find_id(connection, prompts.c.id, "prompt", prompt_id)
            body = connection.execute(select(prompts.c.body).where(prompts.c.id == whole)).scalar_one()
        return decode(body, Prompt)

    def find(self, prompt_id: str) -> builtins.list[PromptVersion]:
        """All versions, under any name, that are this template; none is an empty list."""
        with self._database.read() as connection:
            return _versions(connection, prompt_versions.c.prompt_id == prompt_id)

    def list(self) -> builtins.list[PromptVersion]:
        """The latest version of each name, by name."""
        latest = select(prompt_versions.c.name, func.max(prompt_versions.c.version)).group_by(prompt_versions.c.name)
        with self._database.read() as connection:
            return _versions(connection, tuple_(prompt_versions.c.name, prompt_versions.c.version).in_(latest))

    def history(self, name: str) -> builtins.list[PromptVersion]:
        """All versions of ``name``, newest first."""
        with self._database.read() as connection:
            _require(connection, name)
            return _versions(connection, prompt_versions.c.name == name)[::-1]

    def label(self, name: str, label: str, ref: str, *, by: str) -> PromptVersion:
        """Let ``label`` point at the version ``ref``, and record who moved it and when."""
        check_label(label)
        check_text("name of who labels", by)
        with self._database.write() as connection:
            version = _find(connection, name, ref)
            if label in version.labels:
                return version
            move = LabelMove(name=name, label=label, version=version.version, moved_ns=self._now(), moved_by=by)
            connection.execute(insert(label_moves).values({key: getattr(move, key) for key in move.__struct_fields__}))
            details = {"label": label, "version": version.version, "prompt_id": version.prompt_id}
            record(connection, self._now, "prompt.labelled", name, by=by, **details)
            return _find(connection, name, str(version.version))

    def label_history(self, name: str) -> builtins.list[LabelMove]:
        """Every move of every label of ``name``, newest first."""
        query = select(label_moves).where(label_moves.c.name == name).order_by(label_moves.c.seq.desc())
        with self._database.read() as connection:
            _require(connection, name)
            rows = connection.execute(query).all()
        return [
            LabelMove(name=row.name, label=row.label, version=row.version, moved_ns=row.moved_ns, moved_by=row.moved_by)
            for row in rows
        ]


def _find(connection: Connection, name: str, ref: str | None) -> PromptVersion:
    _require(connection, name)
    of_name = prompt_versions.c.name == name
    number = _number(connection, name, ref)
    if number is not None:
        found = _versions(connection, of_name, prompt_versions.c.version == number)
        if found:
            return found[0]
    if ref is not None and is_prefix(ref):
        of_prefix = select(prompt_versions.c.prompt_id).where(of_name, starts_with(prompt_versions.c.prompt_id, ref))
        if connection.execute(of_prefix.limit(1)).first() is not None:  # else it may have been meant as a label
            prompt_id = only_one(connection, of_prefix, f"version of prompt {name!r}", ref)
            return _versions(connection, of_name, prompt_versions.c.prompt_id == prompt_id)[0]
    moves = connection.execute(select(label_moves.c.label).where(label_moves.c.name == name).distinct())
    count = connection.execute(select(func.count()).select_from(prompt_versions).where(of_name)).scalar_one()
    labels = ", ".join(sorted(moves.scalars())) or "none"
    is_label = ref is not None and not ref.isdigit() and not ref.startswith("prompt_")
    label = f" To label one: noria prompts label {name}@{count} {ref}" if is_label else ""
    raise UnknownName(
        f"Prompt {name!r} has no version {ref!r}.", hint=f"It has versions 1 to {count}; its labels: {labels}.{label}"
    )


def _number(connection: Connection, name: str, ref: str | None) -> int | None:
    """The version number that ``ref`` is or points at; None when it is neither number nor label."""
    if ref is None:
        query = select(func.max(prompt_versions.c.version)).where(prompt_versions.c.name == name)
    elif ref.isascii() and ref.isdigit():
        return int(ref) if len(ref) < 10 else None
    elif "\0" in ref:
        return None
    else:
        of_label = (label_moves.c.name == name) & (label_moves.c.label == ref)
        query = select(label_moves.c.version).where(of_label).order_by(label_moves.c.seq.desc()).limit(1)
    return connection.execute(query).scalar()


def _require(connection: Connection, name: str) -> None:
    check_name("prompt", name)
    names = select(prompt_versions.c.name).distinct()
    if connection.execute(names.where(prompt_versions.c.name == name)).first() is None:
        raise unknown_name("prompt", name, sorted(connection.execute(names).scalars()))


def _versions(connection: Connection, *where: ColumnElement[bool]) -> list[PromptVersion]:
    """Versions with template and labels, by name and number."""
    query = (
        select(prompt_versions, prompts.c.body)
        .join(prompts, prompts.c.id == prompt_versions.c.prompt_id)
        .where(*where)
        .order_by(prompt_versions.c.name, prompt_versions.c.version)
    )
    rows = connection.execute(query).all()
    labels = _labels(connection, {row.name for row in rows})
    return [_version(row, labels) for row in rows]


def _version(row: Row[Any], labels: _Labels) -> PromptVersion:
    return PromptVersion(
        name=row.name,
        version=row.version,
        prompt_id=row.prompt_id,
        prompt=decode(row.body, Prompt),
        labels=labels.get((row.name, row.version), ()),
        note=row.note,
        created_ns=row.created_ns,
        created_by=row.created_by,
    )


def _labels(connection: Connection, names: set[str]) -> _Labels:
    """Where each label of these names points now: the newest move counts."""
    newest = select(func.max(label_moves.c.seq)).group_by(label_moves.c.name, label_moves.c.label)
    query = select(label_moves).where(label_moves.c.seq.in_(newest), label_moves.c.name.in_(names))
    found: _Labels = {}
    for row in connection.execute(query.order_by(label_moves.c.label)):
        place = (row.name, row.version)
        found[place] = (*found.get(place, ()), row.label)
    return found
