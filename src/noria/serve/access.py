"""Who may come in. Default deny: a route without a rule answers nobody.

Three checks, in this order, on every request:

1. ``Host`` must be a name of this server, and ``Origin``, when there is one, this very server: a page of another origin
   (loopback is no boundary) and a rebound DNS name are refused before anything else is looked at.
2. The route's rule: ``public`` or ``key``.
3. For ``key``: ``Authorization: Bearer <key>``, ``x-api-key: <key>`` or ``x-goog-api-key: <key>``, or a session cookie;
   a cookie alone may change nothing unless the request also carries this server's own ``Origin``. A key in the query
   (``?key=``, as Google allows) is not read: queries end up in the logs of every proxy on the way.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from noria.core.errors import NotAllowed
from noria.settings import Secret

Rule = Literal["public", "key"]

PUBLIC: frozenset[str] = frozenset({"/", "/healthz", "/readyz", "/login"})
"""Paths that answer without a key. With ``/static/...`` these are all; a test lists every route with its rule."""
STATIC = "/static/"
SESSION_S = 30 * 24 * 3600
"""Life of a browser session, seconds."""
LINK_S = 24 * 3600
"""Life of a login link that nobody opens, seconds."""
SHARED_LINK_S = 600
"""Life of a link that several processes take, seconds."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_HOST = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE)
"""``Host`` (RFC 9110, section 7.2): a name or a bracketed IPv6 address, a port, and nothing else."""


def rule_of(path: str) -> Rule:
    """The rule of a path."""
    return "public" if path in PUBLIC or path.startswith(STATIC) else "key"


class Access:
    """Decides about requests. Holds the admin key and the login links that were not used yet.

    Arguments:
        key: the admin key.
        hosts: names under which the server may be called, without ports.
        clock: seconds since 1970, for the life of sessions.
        shared: whether other processes with the same key must take the login links that this one makes.
    """

    def __init__(
        self,
        key: Secret,
        hosts: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
        *,
        shared: bool = False,
    ) -> None:
        self._key = key
        self._shared = shared
        self._clock = clock
        self._hosts = {"127.0.0.1", "localhost", "::1", *(host.strip("[]").lower() for host in hosts)}
        self._links: dict[str, float] = {}
        self._used: dict[str, float] = {}  # links that several processes take
        # Browsers keep one set of cookies for all ports of a host: two servers must not overwrite each other's.
        self.cookie = f"noria_{self._sign('cookie')[:12]}"
        """Name of the session cookie."""

    def check(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Let the request in, or raise.

        Arguments:
            method: HTTP method, in capitals.
            path: decoded path, without the query.
            headers: names in lower case.

        Raises:
            NotAllowed: 403 for a foreign Host or Origin, 401 for a missing or wrong key.
        """
        own_origin = self._check_origin(headers)
        if rule_of(path) == "public":
            return
        if self._has_key(headers):
            return
        if not self._is_session(headers.get("cookie", "")):
            raise NotAllowed(
                "This needs a key.",
                hint="Send `Authorization: Bearer <key>` (NORIA_API_KEY, or admin.key in the data folder), "
                "or open the link that `noria login` prints.",
            )
        if method not in SAFE_METHODS and not own_origin:
            raise NotAllowed("A browser session may change things only from Noria's own pages.", status=403)

    def check_key(self, headers: Mapping[str, str]) -> None:
        """The check of callers that no browser can be, such as gRPC's: the key, and nothing else. Raises ``NotAllowed``."""
        if not self._has_key(headers):
            raise NotAllowed("This needs a key.", hint="Send it as metadata: `authorization: Bearer <key>`.")

    def _has_key(self, headers: Mapping[str, str]) -> bool:
        """Whether the right key is there; False where there is none. Raises ``NotAllowed`` for a wrong one."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if not given and (own := headers.get("x-api-key") or headers.get("x-goog-api-key")):
            scheme, given = "bearer", own  # some exporters, and Anthropic's and Google's clients, send no other
        if given and (scheme.lower() != "bearer" or not self._is_key(given.strip())):
            raise NotAllowed("The key is wrong.", hint="Send the admin key as `Authorization: Bearer <key>`.")
        return bool(given)

    def new_link_token(self) -> str:
        """A token for a login link; it works once, within a day.

        Of several processes each takes it, and can't see that another did so before: then it lives for ten minutes.
        """
        now = self._clock()
        if self._shared:
            text = f"{int(now) + SHARED_LINK_S}.{secrets.token_urlsafe(12)}"
            return f"{text}.{self._sign('link ' + text)}"
        self._links = {token: end for token, end in self._links.items() if end > now}
        token = secrets.token_urlsafe(24)
        self._links[token] = now + LINK_S
        return token

    def exchange(self, token: str) -> str:
        """The session cookie's value for a login token, which is used up.

        Raises:
            NotAllowed: the token is unknown, too old, or was used.
        """
        if not (self._is_shared_link(token) or self._links.pop(token, 0.0) > self._clock()):
            raise NotAllowed(
                "This login link was used already, is too old, or is not of this server.", hint="Run `noria login`."
            )
        expires = str(int(self._clock()) + SESSION_S)
        return f"{expires}.{self._sign('session ' + expires)}"

    def _is_shared_link(self, token: str) -> bool:
        """Whether a process with our key made it, it is not too old, and was not used here. It is used up then."""
        text, _, signature = token.rpartition(".")
        expires = text.partition(".")[0]
        if not self._shared or not hmac.compare_digest(signature.encode(), self._sign("link " + text).encode()):
            return False
        now = self._clock()
        self._used = {used: end for used, end in self._used.items() if end > now}
        if token in self._used or int(expires) <= now:
            return False
        self._used[token] = float(expires)
        return True

    def cookie_header(self, session: str, *, secure: bool) -> str:
        """The ``Set-Cookie`` header of a session."""
        flags = "; Secure" if secure else ""
        return f"{self.cookie}={session}; Path=/; Max-Age={SESSION_S}; HttpOnly; SameSite=Strict{flags}"

    def _check_origin(self, headers: Mapping[str, str]) -> bool:
        """Refuse foreign hosts and origins; True when the request names this server as its origin."""
        host = headers.get("host", "")
        match = _HOST.fullmatch(host)
        if not match or match["name"].strip("[]").lower() not in self._hosts:
            raise NotAllowed(
                f"This server does not answer to the name {host[:80]!r}.",
                status=403,
                hint="Add it to `allowed_hosts` if it is yours.",
            )
        origin = headers.get("origin")
        if origin is None:
            return False
        if origin.lower() not in {f"http://{host.lower()}", f"https://{host.lower()}"}:
            raise NotAllowed(f"Requests from {origin[:80]!r} are not accepted here.", status=403)
        return True

    def _is_key(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._key.reveal().encode())

    def _is_session(self, cookies: str) -> bool:
        """Whether a session of ours is among the cookies. Other programs on this host may have set odd ones beside it."""
        for pair in cookies.split(";"):
            name, _, value = pair.strip(" ").partition("=")
            if name != self.cookie:
                continue
            expires, _, signature = value.partition(".")
            right = hmac.compare_digest(signature.encode(), self._sign("session " + expires).encode())
            if right and int(expires) > self._clock():
                return True
        return False

    def _sign(self, text: str) -> str:
        return hmac.new(self._key.reveal().encode(), text.encode(), hashlib.sha256).hexdigest()


def is_loopback(host: str) -> bool:
    """Whether an address that the server binds is reachable from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
