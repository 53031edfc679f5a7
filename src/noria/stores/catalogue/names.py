"""Names and references: what may be a name, and how to find what somebody meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Select, or_, select

from noria.core.errors import InvalidInput, UnknownName

_RULE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SHORTEST_PREFIX = 6
_SHOWN = 10


def check_name(what: str, name: str) -> str:
    """Return ``name``, or refuse it.

    Arguments:
        what: what is being named, for the message: ``app``, ``prompt``.

    Raises:
        InvalidInput: it breaks the rule, which the message gives.
    """
    if not _RULE.fullmatch(name):
        raise InvalidInput(
            f"The {what} name {name!r} is not allowed.",
            hint="Use 1 to 64 of a-z, 0-9, '.', '_' and '-', starting with a letter or digit.",
        )
    return name


def check_label(label: str) -> str:
    """Return ``label``, or refuse it: a label of digits alone could not be told from a version number."""
    if check_name("label", label).isdigit():
        raise InvalidInput(f"{label!r} can't be a label.", hint="Use a word: a plain number means a version.")
    return label


def check_text(what: str, text: str) -> str:
    """Return free text, or refuse what not every database can hold: NUL, and bytes that were no UTF-8."""
    if "\0" in text or (not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)):
        raise InvalidInput(f"The {what} holds characters that are no text.", hint="Give it as plain UTF-8.")
    return text


def unknown(what: str, name: str, known: Sequence[str], *, where: str = "") -> UnknownName:
    """The error for a name that is not there, with the nearest names that are, or all when they are few.

    Arguments:
        what: what was looked for: ``app``.
        name: what was asked for.
        known: names that exist.
        where: where it was looked for: ``" of app 'boolq'"``.
    """
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if near:
        hint = f"Did you mean {' or '.join(near)}?"
    elif known:
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        hint = f"There are: {', '.join(known[:_SHOWN])}{more}."
    else:
        hint = "There is none yet."
    return UnknownName(f"There is no {what} {name!r}{where}.", hint=hint)


def is_prefix(given: str) -> bool:
    """Whether ``given`` is long enough to stand for an id: six characters after its kind, as in ``prompt_9f86d0``."""
    return len(given.rpartition("_")[2]) >= _SHORTEST_PREFIX and "\0" not in given


def starts_with(column: ColumnElement[str], given: str) -> ColumnElement[bool]:
    """Ids that begin with ``given``, with their kind or without it: ``prompt_9f86d0`` and ``9f86d0``."""
    return or_(column.startswith(given, autoescape=True), column.contains(f"_{given}", autoescape=True))


def find_id(connection: Connection, column: ColumnElement[str], what: str, given: str) -> str:
    """The one id in ``column`` that ``given`` names: whole, or by a prefix of at least six characters.

    Raises:
        UnknownName: there is none.
        InvalidInput: there are several.
    """
    if "\0" in given:
        raise UnknownName(f"There is no {what} {given!r}.")
    whole = connection.execute(select(column).where(column == given)).scalar()
    if whole is not None:
        return whole
    if not is_prefix(given):
        raise UnknownName(f"There is no {what} {given!r}.", hint="Give its id, or at least six characters of it.")
    return only_one(connection, select(column).where(starts_with(column, given)), what, given)


def only_one(connection: Connection, query: Select[str], what: str, given: str) -> str:
    """The one id that ``query`` finds."""
    found = sorted(set(connection.execute(query.limit(_SHOWN)).scalars()))
    if not found:
        raise UnknownName(f"There is no {what} whose id starts with {given!r}.")
    if len(found) > 1:
        raise InvalidInput(f"{given!r} could be several: {', '.join(found)}.", hint="Give more of the id.")
    return found[0]
