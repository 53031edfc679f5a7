"""Virtual keys: who calls, what their key opens, and how long. Only a key's hash is kept anywhere.

A key reads ``nk_<id>_<secret>``: the id, 12 hex digits, says which key it is and may be shown; the secret holds 256
random bits, so that a fast hash keeps it. (A slow one is for passwords, which people choose and others guess.)
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

from noria.core.struct import Noun

Permission = Literal["gateway", "ingest", "read", "admin"]
"""``gateway``: call apps and models, and read the prompts of those apps. ``ingest``: send traces over OTLP, and scores on them.
``read``: look at everything but keys, secrets and backups. ``admin``: all of that, and change it."""

PREFIX = "nk_"
"""How every virtual key begins, so that programs that look for leaked secrets know one."""
ID_HEX = 12
"""Hex digits of a key's id."""
EVERYTHING = ("*",)
"""Patterns that match every name."""


class Caller(Noun):
    """On whose behalf a call is made: what a request, and its span, may know of a key."""

    key_id: str = ""
    """The virtual key's id; empty for the admin key, a browser, and Noria itself."""
    team: str = ""
    """The key's team."""
    app: str = ""
    """The app or route whose call had Noria make this one; empty where somebody called, who then says it by the name."""
    user_id: str = ""
    """The end user of that call, likewise."""


class Key(Noun):
    """A virtual key, without anything of its secret."""

    id: str
    """12 hex digits, also part of the key itself."""
    name: str
    """What people call it."""
    permissions: tuple[Permission, ...] = ("gateway",)
    """What it may do."""
    apps: tuple[str, ...] = EVERYTHING
    """Apps and routes that it may call: names, or patterns with ``*``."""
    models: tuple[str, ...] = EVERYTHING
    """Models that it may call by ``provider/model``: names, or patterns with ``*``."""
    team: str = ""
    """The team that answers for it, and whose limits count."""
    owner: str = ""
    """The person or service that holds it."""
    created_ns: int = 0
    """When it was made, nanoseconds since 1970 UTC."""
    created_by: str = ""
    """Who made it."""
    expires_ns: int | None = None
    """When it ends; None for never."""
    rotated_ns: int | None = None
    """When its secret was last replaced."""
    old_until_ns: int | None = None
    """Until when the secret before still works."""
    revoked_ns: int | None = None
    """When it was revoked; it opens nothing since."""
    last_used_ns: int | None = None
    """When it was last used, to within a minute; None for never."""

    def may(self, permission: Permission) -> bool:
        """Whether it may do this. ``admin`` includes all else."""
        return permission in self.permissions or "admin" in self.permissions

    def may_call(self, name: str) -> bool:
        """Whether it may call an app, a route or a model by this name; an app's variant counts as the app."""
        if "/" in name:
            return matches(self.models, name)
        return matches(self.apps, name.partition("@")[0])

    @property
    def caller(self) -> Caller:
        """What calls made with it carry."""
        return Caller(key_id=self.id, team=self.team)


class KeyHashes(Noun):
    """What a given key is compared with."""

    newest: str
    """SHA-256 of the whole key, 64 hex digits."""
    before: str = ""
    """That of the key before its last rotation."""
    before_until_ns: int = 0
    """Until when the one before still works, nanoseconds since 1970 UTC."""


class HeldKey(Noun):
    """A key with what it is recognised by, as a server keeps it in memory."""

    key: Key
    """The key."""
    hashes: KeyHashes
    """Its hashes."""

    def opens(self, given: str, now_ns: int) -> bool:
        """Whether ``given`` is this key, and the key is in force."""
        digest = key_hash(given)
        right = hmac.compare_digest(digest, self.hashes.newest)
        old = bool(self.hashes.before) and hmac.compare_digest(digest, self.hashes.before)
        if not (right or (old and now_ns < self.hashes.before_until_ns)):
            return False
        return self.in_force(now_ns)

    def is_newest(self, given: str) -> bool:
        """Whether ``given`` is this key as it was made or last rotated."""
        return hmac.compare_digest(key_hash(given), self.hashes.newest)

    def in_force(self, now_ns: int) -> bool:
        """Whether the key is neither revoked nor over."""
        ends = self.key.expires_ns
        return self.key.revoked_ns is None and (ends is None or now_ns < ends)


class MadeKey(Noun):
    """A new key, with the one sight of its secret."""

    key: Key
    """The key's record."""
    secret: str
    """The key itself, as callers send it. It is kept nowhere."""


def key_hash(given: str) -> str:
    """SHA-256 of a key, hex."""
    return hashlib.sha256(given.encode()).hexdigest()


def key_text(id: str, secret: str) -> str:
    """The key that callers send."""
    return f"{PREFIX}{id}_{secret}"


def id_of(given: str) -> str:
    """The id in a key; empty where it is not shaped like a virtual key."""
    end = len(PREFIX) + ID_HEX
    return given[len(PREFIX) : end] if given.startswith(PREFIX) and given[end : end + 1] == "_" else ""


def matches(patterns: Sequence[str], name: str) -> bool:
    """Whether one of the patterns fits the whole name; ``*`` stands for any text."""
    return any(pattern in {name, "*"} or fnmatchcase(name, pattern) for pattern in patterns)
