"""Virtual keys at rest: hashes alone, on both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from noria.core.errors import Conflict, InvalidInput, UnknownName
from noria.core.keys import HeldKey, Key, id_of, matches
from noria.stores.catalogue import Catalogue
from noria.stores.catalogue.database import Database

BOT = Key(id="", name="bot", team="care", owner="ann", apps=("support-*",), models=())


def held(catalogue: Catalogue, id: str) -> HeldKey:
    [found] = [held for held in catalogue.keys.changed()[0] if held.key.id == id]
    return found


def test_a_key_lives_and_ends(catalogue: Catalogue) -> None:
    made = catalogue.keys.create(BOT, by="eve")
    assert id_of(made.secret) == made.key.id
    assert (made.key.created_by, made.key.team, made.key.apps) == ("eve", "care", ("support-*",))
    with pytest.raises(Conflict, match="a key 'bot' already"):
        catalogue.keys.create(BOT)
    assert held(catalogue, made.key.id).opens(made.secret, 0)
    rotated = catalogue.keys.rotate("bot", overlap_s=1, by="eve")
    now = rotated.key.rotated_ns or 0
    both = held(catalogue, made.key.id)
    assert [both.opens(secret, now) for secret in (made.secret, rotated.secret)] == [True, True]
    assert [both.opens(secret, now + 10**9) for secret in (made.secret, rotated.secret)] == [False, True]
    catalogue.keys.revoke(made.key.id, by="eve")
    assert not held(catalogue, made.key.id).opens(rotated.secret, now)
    with pytest.raises(InvalidInput, match="is revoked"):
        catalogue.keys.revoke("bot")
    second = catalogue.keys.create(BOT)
    assert catalogue.keys.get("bot").id == second.key.id, "the name is free again"
    assert catalogue.keys.get(made.key.id).revoked_ns is not None
    assert [key.id for key in catalogue.keys.list()] == [second.key.id, made.key.id]
    with pytest.raises(UnknownName, match=r"Did you mean bot\?"):
        catalogue.keys.get("bto")
    with pytest.raises(UnknownName):
        catalogue.keys.get("' OR 1=1 --")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Bot!"}, {"permissions": ()}, {"apps": ("",)}, {"models": ("x" * 201,)}, {"team": "a\0b"},
        {"expires_ns": 1}, {"owner": "x" * 201},
    ],
)  # fmt: skip
def test_keys_that_make_no_sense(catalogue: Catalogue, wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        catalogue.keys.create(Key(**({"id": "", "name": "bot"} | wrong)))  # type: ignore[arg-type]
    assert catalogue.keys.list() == []


def test_a_server_reads_only_what_has_changed(catalogue: Catalogue) -> None:
    one = catalogue.keys.create(BOT)
    _, seen = catalogue.keys.changed()
    assert catalogue.keys.changed(seen) == ([], seen)
    other = catalogue.keys.create(Key(id="", name="other"))
    changed, later = catalogue.keys.changed(seen)
    assert [held.key.id for held in changed] == [other.key.id]
    catalogue.keys.revoke(one.key.id)
    assert [held.key.id for held in catalogue.keys.changed(later)[0]] == [one.key.id]


def test_uses_are_kept_and_are_no_change(catalogue: Catalogue) -> None:
    made = catalogue.keys.create(BOT)
    changes, entries = catalogue.changes, len(catalogue.audit.list(100))
    catalogue.keys.note_uses({made.key.id: 7, "0" * 12: 9})
    catalogue.keys.note_uses({made.key.id: 5})
    assert catalogue.keys.get("bot").last_used_ns == 7
    catalogue.keys.note_uses({made.key.id: 8})
    assert catalogue.keys.get("bot").last_used_ns == 8
    assert (catalogue.changes, len(catalogue.audit.list(100))) == (changes, entries)


def test_no_secret_is_in_the_database(catalogue_url: str, now: Callable[[], int]) -> None:
    with Catalogue.open(catalogue_url, now=now) as catalogue:
        secrets = [catalogue.keys.create(BOT).secret, catalogue.keys.rotate("bot", overlap_s=9).secret]
        dumped = b"".join(catalogue.dump().values())
    database = Database(catalogue_url)
    with database.read() as connection:
        rows = repr(connection.execute(text("SELECT * FROM keys")).all())
    database.close()
    for secret in secrets:
        assert secret[16:] not in rows
        assert secret[16:].encode() not in dumped


@given(st.text(max_size=80))
def test_only_what_is_shaped_like_a_key_has_an_id(given_text: str) -> None:
    id = id_of(given_text)
    assert not id or given_text.startswith(f"nk_{id}_")


@pytest.mark.parametrize(
    ("name", "opens"),
    [("support", True), ("support@b", True), ("support-en", False), ("openai/gpt-5", True), ("openai", False),
     ("local/x", False), ("", False)],
)  # fmt: skip
def test_what_a_key_may_call(name: str, opens: bool) -> None:
    key = Key(id="", name="k", apps=("support",), models=("openai/*",))
    assert key.may_call(name) is opens
    assert matches(("*",), name)
