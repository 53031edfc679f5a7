"""The search for a leaked key finds it however it was written."""

import base64
import json
import urllib.parse

import pytest

from written import written

SECRET = "sk-canary-ü/0123456789abcdef+0123456789"


@pytest.mark.parametrize(
    "content",
    [
        SECRET.encode(),
        json.dumps({"key": SECRET}).encode(),
        json.dumps(json.dumps({"key": SECRET})).encode(),
        base64.b64encode(f"{SECRET}:".encode()),
        base64.b64encode(f"u:{SECRET}".encode()),
        base64.urlsafe_b64encode(f"user:{SECRET}\n".encode()),
        SECRET.encode().hex().encode(),
        SECRET.encode().hex().upper().encode(),
        urllib.parse.quote(SECRET).encode(),
        urllib.parse.urlencode({"key": SECRET}).encode(),
        "".join(f"\\u{ord(letter):04x}" for letter in SECRET).encode(),
        SECRET.encode("utf-16"),
    ],
)
def test_a_secret_is_found_however_it_was_written(content: bytes) -> None:
    assert any(needle in b"before " + content + b" behind" for needle in written(SECRET))
    assert not any(needle in content[:20] + content[24:] for needle in written(SECRET))
