"""What was wrong with records from elsewhere, on the command line."""

from __future__ import annotations

import json
import urllib.request

from noria_cli import Noria

KEY = "a-key-of-this-test-that-is-long-enough"
SPAN = {"traceId": "0" * 32, "spanId": "1" * 16, "name": "x", "startTimeUnixNano": "1795600000000000000"}
SERVICE = {"key": "service.name", "value": {"stringValue": "\x1b[2Jshop"}}


def test_problems_are_told_with_their_reason(noria: Noria) -> None:
    assert "Nothing was wrong" in noria.here("intake", "problems").stdout
    environ = {"NORIA_API_KEY": KEY}
    body = {"resourceSpans": [{"resource": {"attributes": [SERVICE]}, "scopeSpans": [{"spans": [SPAN]}]}]}
    with noria.start("up", "--port", "0", environ=environ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[4]
            headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
            sent = urllib.request.Request(url + "/v1/traces", json.dumps(body).encode(), headers)
            with urllib.request.urlopen(sent) as response:
                assert json.load(response)["partialSuccess"]["rejectedSpans"] == "1"
            shown = noria.here("intake", "problems", environ=environ)
            [problem] = json.loads(noria.here("intake", "problems", "--json", environ=environ).stdout)
        finally:
            process.terminate()
            process.communicate(timeout=40)
    assert "no_trace_id" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert problem["service"] == "\x1b[2Jshop"
