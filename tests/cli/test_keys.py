"""``noria keys``, as a person uses it."""

from __future__ import annotations

import asyncio

import msgspec
from noria_cli import Noria

from noria.assemble import open_workspace
from noria.core.spans import Span
from noria.settings import Settings


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


def test_what_a_key_was_used_for(noria: Noria) -> None:
    noria.here("keys", "create", "bot")
    assert "No calls there." in noria.here("traces", "list", "--key", "bot").stdout
    assert "No calls with a key" in noria.here("keys", "usage").stdout
    [key] = noria.json("keys", "list")

    async def record() -> None:
        async with open_workspace(Settings(data=str(noria.folder)), {}, holder="a test") as workspace:
            spans = [
                Span(
                    trace_id=f"{number:032x}",
                    span_id=f"{number:016x}",
                    name="chat",
                    operation="chat",
                    start_ns=workspace.now(),
                    end_ns=workspace.now() + 1,
                    provider="openai",
                    request_model="gpt",
                    input_tokens=1000,
                    output_tokens=10,
                    cost_usd=0.25,
                    attributes={"noria.key_id": key["id"]},
                )
                for number in (1, 2)
            ]
            refused = {
                "status": "error",
                "error_type": "limit_reached",
                "cost_usd": 0.0,
                "input_tokens": None,
                "start_ns": 1,
            }
            refused |= {"attributes": {"noria.key_id": key["id"], "noria.refused_by": "limit"}, "span_id": "f" * 16}
            spans.append(msgspec.structs.replace(spans[0], trace_id="f" * 32, **refused))
            await workspace.traces.append(spans)

    asyncio.run(record())
    shown = noria.here("keys", "usage").stdout
    assert [text in shown for text in ("bot", "refused", "2,000", "$0.5")] == [True] * 4
    assert "gpt" in noria.here("keys", "usage", "bot", "--since", "1h").stdout
    [used] = noria.json("keys", "usage", "bot", "--bucket", "all")
    assert (used["model"], used["calls"], used["cost_usd"], used["unpriced"]) == ("openai/gpt", 3, 0.5, 0)
    assert (used["failed"], used["refused"]) == (0, 1)
    assert noria.here("keys", "usage", "nobody").exit_code == 2
    for name in ("bot", key["id"]):
        assert [call["trace_id"] for call in noria.json("traces", "list", "--key", name)] == [
            f"{2:032x}",
            f"{1:032x}",
            "f" * 32,
        ]
    assert "refused" in noria.here("traces", "list", "--key", "bot").stdout
    missing = noria.here("traces", "list", "--key", "nobody")
    assert (missing.exit_code, "bot" in missing.stderr) == (2, True)
