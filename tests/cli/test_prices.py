"""``noria prices``, as a person uses it."""

from __future__ import annotations

from noria_cli import Noria

from noria.bridges.files.columns import encode_line
from noria.core.spans import Span


def test_prices_known_agreed_and_unknown(noria: Noria) -> None:
    assert "has a price" in noria.here("prices", "unknown").stdout
    spans = [
        Span(
            trace_id=f"{number:032x}", span_id=f"{number:016x}", name="chat", start_ns=10**18, end_ns=10**18 + 1,
            provider="mine", request_model="big", input_tokens=5, output_tokens=tokens, cost_usd=cost,
        )
        for number, (tokens, cost) in enumerate([(7, None), (8, None), (9, 0.5), (None, None)], start=1)
    ]  # fmt: skip
    file = noria.folder.parent / "spans.jsonl"
    file.write_bytes(b"".join(encode_line(span, ()) for span in spans))
    assert noria.here("traces", "import", file).exit_code == 0
    [unknown] = noria.json("prices", "unknown")
    assert unknown == {"provider": "mine", "model": "big", "calls": 3, "input_tokens": 15, "output_tokens": 15}
    assert '[prices."mine/big"]' in noria.here("prices", "unknown").stdout
    assert noria.json("prices", "unknown", "--since", "1h") == []
    assert "no price" in noria.here("prices", "show", "mine/big").stdout
    agreed = {"NORIA_PRICES": '{"mine/*": {"input_per_mtok": 1.5, "per_request": 0.01, "from": "2026-01-01"}}'}
    shown = noria.here("prices", "show", "mine/big", environ=agreed).stdout
    assert "by contract" in shown
    assert "$1.5 a million" in shown
    assert "as published" in noria.here("prices", "show", "openai/gpt-4o", environ=agreed).stdout
    (noria.folder.parent / "noria.toml").write_text('[prices."mine/*"]\nfrom = 2026-01-01\noutput_per_mtok = 2')
    config = {"NORIA_CONFIG": str(noria.folder.parent / "noria.toml")}
    assert "$2 a million" in noria.here("prices", "show", "mine/big", environ=config).stdout
    for wrong in (
        '{"mine/x": {"from": "soon"}}',
        '{"mine": {}}',
        '{"mine/x": {"input_per_mtok": -1}}',
        '{"mine/x": {"inputs": 1}}',
        "x",
    ):
        assert noria.here("prices", "unknown", environ={"NORIA_PRICES": wrong}).exit_code == 2
