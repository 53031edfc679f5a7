"""Erasure of one end user's data, and the receipt that it leaves."""

from __future__ import annotations

import hashlib
import hmac

from noria.core.struct import Noun


class Erased(Noun):
    """What is on record about a user, by kind: found before an erasure, deleted by it."""

    spans: int = 0
    """Spans: all that name the user, and what belongs to them (docs/lifecycle.md says how that is decided)."""
    scores: int = 0
    """Scores on these spans."""
    traces: int = 0
    """Traces in which these spans are."""
    sessions: int = 0
    """Sessions in which these spans are."""
    blobs: tuple[str, ...] = ()
    """SHA-256 of contents in the blob store that only these spans mention; in a dry run, that they mention."""
    blob_bytes: int = 0
    """Size of those contents."""


class Receipt(Noun):
    """What was erased, for whom, by whom and when, without telling the user's id to those who don't know it."""

    id: str
    """Opaque id."""
    time_ns: int
    """When the erasure was complete, nanoseconds since 1970 UTC."""
    actor: str
    """Who erased."""
    user_digest: str
    """scrypt of the user's id with ``salt``: who knows the id can check that the receipt is about them."""
    salt: str
    """32 hex digits, another for each receipt."""
    erased: Erased
    """What is gone."""
    mentions: dict[str, tuple[str, ...]] = {}
    """What the catalogue still holds with the user's id in it, by kind and name; only a person can decide about it."""
    backups: tuple[str, ...] = ()
    """Backups made earlier, with their times: they still hold what was erased here, until somebody deletes them."""
    audit_seq: int = 0
    """Place of the erasure in the audit log."""
    audit_hash: str = ""
    """Hash of that entry."""


class Erasure(Noun):
    """The answer to an erasure, or to a dry run of one."""

    found: Erased
    """What is, or was, on record about the user."""
    receipt: Receipt | None = None
    """None in a dry run, and where nothing was on record."""


def user_digest(user: str, salt: str) -> str:
    """The user's id as a receipt tells it.

    Ids are short and often guessable, so the function is a slow one (scrypt, RFC 7914: 16 MB, some 50 ms a guess).
    """
    return hashlib.scrypt(user.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32).hex()


def is_about(receipt: Receipt, user: str) -> bool:
    """Whether a receipt is about this user."""
    return hmac.compare_digest(user_digest(user, receipt.salt), receipt.user_digest)
