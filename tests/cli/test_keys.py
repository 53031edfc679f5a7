"""``noria keys``, as a person uses it."""

from __future__ import annotations

from noria_cli import Noria


def test_a_key_from_its_making_to_its_end(noria: Noria) -> None:
    assert "only the admin key" in noria.here("keys", "list").stdout
    made = noria.here("keys", "create", "bot", "--app", "support-*", "--team", "care", "--expires-in", "90d")
    assert made.exit_code == 0, made.stderr
    secret = made.stdout.strip()
    assert secret.startswith("nk_")
    assert "shown this once" in made.stderr
    [key] = noria.json("keys", "list")
    assert (key["name"], key["apps"], key["models"], key["team"]) == ("bot", ["support-*"], [], "care")
    assert key["permissions"] == ["gateway"]
    rotated = noria.here("keys", "rotate", "bot", "--overlap", "24h")
    assert "The secret before works until" in rotated.stderr
    assert rotated.stdout.strip() not in {"", secret}
    listed = noria.here("keys", "list").stdout
    shown = noria.here("keys", "show", "bot").stdout
    assert "support-*" in listed
    assert "in force" in listed
    assert "old secret until" in shown
    assert secret not in listed + shown
    assert "opens nothing any more" in noria.here("keys", "revoke", key["id"]).stdout
    assert "revoked" in noria.here("keys", "list").stdout
    assert noria.here("keys", "revoke", "bot").exit_code == 2
    wrong = noria.here("keys", "create", "late", "--expires-in", "soon")
    assert wrong.exit_code == 2
    assert "--expires-in" in wrong.stderr
    assert [entry["action"] for entry in noria.json("audit", "list", "--action", "key.")] == [
        "key.revoked", "key.rotated", "key.created", "key.made",
    ]  # fmt: skip
