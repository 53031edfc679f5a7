"""How a secret may stand in a file that somebody wrote."""

from __future__ import annotations

import base64
import json
import urllib.parse


def written(secret: str) -> frozenset[bytes]:
    """What to look for: the secret as it is, in base64 from any of three places, in hex, quoted for a URL, escaped for JSON
    once and twice, and in UTF-16."""
    plain, escaped = secret.encode(), json.dumps(secret)[1:-1]
    shifted = [(bytes(at) + plain, 4 if at else 0) for at in range(3)]
    return frozenset(
        {
            plain,
            *(
                encode(data)[start:-4]
                for data, start in shifted
                for encode in (base64.b64encode, base64.urlsafe_b64encode)
            ),
            plain.hex().encode(),
            plain.hex().upper().encode(),
            urllib.parse.quote(secret).encode(),
            urllib.parse.quote_plus(secret).encode(),
            escaped.encode(),
            json.dumps(escaped)[1:-1].encode(),
            "".join(f"\\u{ord(letter):04x}" for letter in secret).encode(),
            secret.encode("utf-16-le"),
            secret.encode("utf-16-be"),
        }
    )
