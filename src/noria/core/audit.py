"""The audit log: who changed what, when, in a chain that shows whether somebody has changed the log itself.

Each entry holds the hash of the one before it, and its own hash covers everything in it, so an entry that was changed,
taken out or put in between breaks the chain from there on. What a chain can't show by itself is a missing end: whoever
wants to see that writes the newest hash down elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.identity import canonical
from noria.core.struct import Noun

GENESIS = "0" * 64
"""What the first entry has in place of an earlier hash."""
SYSTEM = "noria"
"""Who acts when nobody is named: Noria itself."""


class AuditEntry(Noun):
    """One change. Entries are never changed or removed; they hold neither secrets nor contents of messages."""

    seq: int
    """Place in the log: 1, 2, 3 ..."""
    time_ns: int
    """When, nanoseconds since 1970 UTC."""
    actor: str
    """Who, as they named themselves; ``noria`` for what it does by itself."""
    action: str
    """What was done: ``prompt.pushed``, ``release.promoted``, ``user.erased`` ..."""
    subject: str
    """What it was done to, by name or id."""
    details: dict[str, Any] = {}
    """What else is worth knowing: versions, ids, counts, reasons."""
    previous: str = GENESIS
    """Hash of the entry before, 64 hex digits; zeros for the first."""
    hash: str = ""
    """SHA-256 of :func:`entry_text`, 64 hex digits."""


class AuditReport(Noun):
    """What came of checking the chain."""

    whole: bool
    """Whether every entry is as it was written, none is missing, and the head that was asked for is there."""
    entries: int
    """Entries that were checked and found right."""
    head: str
    """Hash of the last of them; write it down elsewhere to see later whether the log was cut short."""
    broken_at: int | None = None
    """Place of the first entry that is wrong."""
    problem: str = ""
    """What is wrong, a sentence."""


def entry_text(entry: AuditEntry) -> bytes:
    """What the hash is of: the entry without it, as canonical JSON (keys sorted, no white space, no defaults)."""
    return canonical(msgspec.structs.replace(entry, hash=""))


def entry_hash(text: bytes) -> str:
    """The hash of an entry's text."""
    return hashlib.sha256(text).hexdigest()


def check_chain(rows: Iterable[tuple[int, bytes, str]], head: str | None = None) -> AuditReport:
    """Check rows of the log, in order of their place.

    Arguments:
        rows: place, text and hash, as they are stored.
        head: the hash of an entry that must be there, or sixteen digits or more of its beginning.
    """
    count, last, seen = 0, GENESIS, head is None
    for seq, text, hash in rows:
        problem = _problem(seq, text, hash, expected=count + 1, previous=last)
        if problem:
            return AuditReport(whole=False, entries=count, head=last, broken_at=count + 1, problem=problem)
        count, last = seq, hash
        seen = seen or (head is not None and hash.startswith(head))
    if not seen:
        problem = f"No entry has the hash {head}: the log was cut short or replaced after it was written down."
        return AuditReport(whole=False, entries=count, head=last, problem=problem)
    return AuditReport(whole=True, entries=count, head=last)


def _problem(seq: int, text: bytes, hash: str, *, expected: int, previous: str) -> str:
    if seq != expected:
        return f"Entry {expected} is missing."
    if entry_hash(text) != hash:
        return f"Entry {seq} was changed: its content has another hash than the one written beside it."
    try:
        entry = msgspec.json.decode(text, type=AuditEntry)
    except UNREADABLE as error:
        return f"Entry {seq} can't be read: {error}."
    if entry.seq != seq or entry.previous != previous:
        return f"Entry {seq} does not follow the one before it: one of them was replaced, or one between was removed."
    return ""
