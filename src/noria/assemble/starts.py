"""What the audit log is told of a start: another key, other settings. Nothing where all is as before."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

import msgspec

from noria.core.audit import SYSTEM
from noria.settings import Settings
from noria.stores.catalogue.audit import Audit

_SHOWN = 8
"""Hex digits of a key's SHA-256 that are told: enough to see that it is another, of no use for guessing it."""


def note_key(audit: Audit, key: str) -> None:
    """Tell that the data folder has a new admin key. One from the environment is told with the settings."""
    fingerprint = hashlib.sha256(key.encode()).hexdigest()[:_SHOWN]
    known = audit.list(1, action="key.made")
    if not known or known[0].details.get("sha256") != fingerprint:
        audit.add("key.made", "admin key", by=SYSTEM, sha256=fingerprint)


def note_settings(audit: Audit, settings: Settings, *, key_from_environment: bool, version: str) -> None:
    """Tell that a server starts with other settings, or as another version, than the one before it."""
    told = _without_secrets(msgspec.to_builtins(settings))
    told["admin_key"] = "environment" if key_from_environment else "data folder"
    told["version"] = version
    known = audit.list(1, action="settings.changed")
    before: dict[str, Any] = known[0].details["settings"] if known else {}
    changed = sorted(name for name in told.keys() | before.keys() if told.get(name) != before.get(name))
    if changed:
        audit.add("settings.changed", "server", by=SYSTEM, changed=changed, settings=told)


def _without_secrets(value: Any) -> Any:
    """Settings name secrets and hold none, but a URL may carry a password, or a token in its query."""
    if isinstance(value, dict):
        return {key: _without_secrets(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(item) for item in value]
    if isinstance(value, str) and "://" in value:
        return _without_password(value)
    return value


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("://")[0] + "://..."
    user, at, host = parts.netloc.rpartition("@")
    place = f"{user.partition(':')[0]}{at}{host}"
    return f"{parts.scheme}://{place}{parts.path}{'?...' if parts.query else ''}"
