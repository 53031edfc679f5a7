"""A body sent to a URL that is no model's: through the same client, and by the same rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from noria.core.errors import InvalidInput
from noria.targets.egress.addresses import Origin
from noria.targets.egress.client import Egress
from noria.targets.egress.connection import Timeouts
from noria.targets.egress.failures import Callee

MOST_BYTES = 64 * 1024
"""Bytes of an answer that are read."""
_PORTS = {"http": 80, "https": 443}
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class Posting:
    """A URL that bodies are sent to.

    Arguments:
        egress: sends them.
        url: http or https, without a user or password, because it is shown.
        headers: of every request; shown nowhere.
        name: what is there, for people.
        waits: how long to wait.
        private: the URL's name may stand for an address that is not public.

    Raises:
        InvalidInput: the URL or a header is none.
    """

    def __init__(
        self,
        egress: Egress,
        url: str,
        headers: Mapping[str, str],
        *,
        name: str,
        waits: Timeouts,
        private: bool = False,
    ) -> None:
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").encode("idna").decode(), parts.port
            right = parts.scheme in _PORTS and bool(host) and port != 0 and url.isprintable() and " " not in url
        except ValueError:
            right = False
        if not right or "@" in parts.netloc:
            raise InvalidInput(
                f"The URL of {name} is no http or https URL, or holds a user.", hint="Write it as https://host/path."
            )
        for field, value in headers.items():
            if not (_TOKEN.fullmatch(field) and value.isascii() and value.isprintable()):
                raise InvalidInput(f"A header for {name} holds a character that no header can carry.")
        self.shown = f"{parts.scheme}://{parts.netloc}{parts.path}"
        """Where it goes, for people."""
        self._egress, self._waits = egress, waits
        self._callee = Callee(name, self.shown)
        self._origin = Origin(parts.scheme == "https", host, port or _PORTS[parts.scheme], private=private)
        target = quote(parts.path or "/", safe="/:@!$&'()*+,;=%~-._") + (f"?{parts.query}" if parts.query else "")
        fixed = {"Host": parts.netloc, "User-Agent": "noria", "Accept-Encoding": "identity"}
        lines = "".join(f"{field}: {value}\r\n" for field, value in (fixed | dict(headers)).items())
        self._head = f"POST {target} HTTP/1.1\r\n{lines}".encode()

    async def send(self, body: bytes) -> tuple[int, bytes]:
        """Send a body; the status and the beginning of the answer. Redirects are not followed.

        Raises:
            CallFailed: and its kinds; there was no answer.
        """
        request = b"%bContent-Length: %d\r\n\r\n%b" % (self._head, len(body), body)
        response = await self._egress.post(self._origin, request, waits=self._waits, callee=self._callee)
        try:
            answer = await response.read()
            while len(answer) < MOST_BYTES and (more := await response.read()):
                answer += more
            return response.status, answer[:MOST_BYTES]
        finally:
            response.close()
