"""One kept connection to Noria, over ``http.client``: small, and patched by hardly any instrumentation.

It knows nothing of what it carries, and does not try again; whoever calls decides.
"""

from __future__ import annotations

import contextlib
import email.utils
import gzip
import http.client
import threading
import time
from typing import NamedTuple
from urllib.parse import urlsplit

from noria.core.errors import Unavailable

_GZIP_FROM = 1024
"""Bodies smaller than this, bytes, gain nothing from compression."""
_LONGEST_ANSWER = 8 << 20
"""Bytes of an answer that are read."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    """HTTP status."""
    body: bytes
    """All of it."""
    retry_after_s: float | None
    """Seconds that Noria asked to wait; None when it did not say."""


class Connection:
    """A connection that is kept open between requests. Safe for several threads, one request at a time.

    Arguments:
        url: Noria's base URL. Redirects are not followed, so the key goes nowhere else.
        key: sent as ``Authorization: Bearer``; empty sends none.
        timeout_s: seconds to connect, and seconds between two pieces of an answer.
    """

    def __init__(self, url: str, key: str, timeout_s: float) -> None:
        self.url = url.rstrip("/")
        """Noria's base URL."""
        self._parts = urlsplit(self.url)
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._open: http.client.HTTPConnection | None = None

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        content_type: str = "application/json",
        *,
        compress: bool = False,
    ) -> Answer:
        """Send a request and read its answer.

        Arguments:
            method: of HTTP.
            path: below the base URL, encoded.
            body: what to send.
            content_type: what it is, and what the answer should be.
            compress: whether a body that is long enough is sent as gzip; the intake takes that, the REST API does not.

        Raises:
            Unavailable: no answer came.
        """
        headers = {**self._headers, "accept": content_type}
        if body:
            headers["content-type"] = content_type
            if compress and len(body) >= _GZIP_FROM:
                body, headers["content-encoding"] = gzip.compress(body, 1), "gzip"
        with self._lock:
            kept = self._open is not None
            try:
                return self._ask(method, path, body, headers)
            except (ConnectionError, http.client.BadStatusLine) as error:
                # A kept connection that the server has closed meanwhile says nothing about the server.
                if not kept:
                    raise self._unavailable(error) from error
            except (OSError, http.client.HTTPException) as error:
                raise self._unavailable(error) from error
            try:
                return self._ask(method, path, body, headers)
            except (OSError, http.client.HTTPException) as error:
                raise self._unavailable(error) from error

    def close(self) -> None:
        """Let the connection go. The next request opens another."""
        with self._lock:
            self._drop()

    def after_fork(self) -> None:
        """Forget what belongs to the parent process, without touching its connection."""
        self._lock = threading.Lock()
        self._open = None

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        if self._open is None:
            kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
            self._open = kind(self._parts.hostname or "", self._parts.port, timeout=self._timeout_s)
        try:
            self._open.request(method, self._parts.path + path, body, headers)
            with self._open.getresponse() as response:
                answer = _whole(response)
                return Answer(response.status, answer, _seconds(response.getheader("retry-after")))
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.close()

    def _unavailable(self, error: Exception) -> Unavailable:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Unavailable(f"{self.url} did not answer: {why}.", hint="Is the server up, and NORIA_URL right?")


def _whole(response: http.client.HTTPResponse) -> bytes:
    answer = response.read(_LONGEST_ANSWER)
    if not response.isclosed():
        raise http.client.IncompleteRead(answer)
    return answer


def _seconds(retry_after: str | None) -> float | None:
    """``Retry-After`` (RFC 9110, section 10.2.3): seconds, or a date."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
