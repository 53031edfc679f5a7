"""Who may come in. Default deny: a route without a rule answers nobody.

Three checks, in this order, on every request:

1. ``Host`` must be a name of this server, and ``Origin``, when there is one, this very server: a page of another origin
   (loopback is no boundary) and a rebound DNS name are refused before anything else is looked at.
2. The route's rule: ``public`` or ``key``.
3. For ``key``: ``Authorization: Bearer <key>``, or a session cookie; a cookie alone may change nothing unless the
   request also carries this server's own ``Origin``.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Literal
from urllib.parse import urlsplit

from noria.core.errors import NotAllowed
from noria.settings import Secret

Rule = Literal["public", "key"]

PUBLIC: frozenset[str] = frozenset({"/", "/healthz", "/readyz", "/login"})
"""Paths that answer without a key. With ``/static/...`` these are all; a test lists every route with its rule."""
STATIC = "/static/"
COOKIE = "noria_session"
SESSION_S = 30 * 24 * 3600
"""Life of a browser session, seconds."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def rule_of(path: str) -> Rule:
    """The rule of a path."""
    return "public" if path in PUBLIC or path.startswith(STATIC) else "key"


class Access:
    """Decides about requests. Holds the admin key and the login links that were not used yet.

    Arguments:
        key: the admin key.
        hosts: names under which the server may be called, without ports.
        clock: seconds since 1970, for the life of sessions.
    """

    def __init__(self, key: Secret, hosts: Iterable[str] = (), clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock
        self._hosts = {"127.0.0.1", "localhost", "::1", *(host.lower() for host in hosts)}
        self._links: set[str] = set()

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
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if given:
            if scheme.lower() != "bearer" or not self._is_key(given.strip()):
                raise NotAllowed("The key is wrong.", hint="Send the admin key as `Authorization: Bearer <key>`.")
            return
        if not self._is_session(headers.get("cookie", "")):
            raise NotAllowed(
                "This needs a key.",
                hint="Send `Authorization: Bearer <key>` (NORIA_API_KEY, or admin.key in the data folder), "
                "or open the link that `noria login` prints.",
            )
        if method not in SAFE_METHODS and not own_origin:
            raise NotAllowed("A browser session may change things only from Noria's own pages.", status=403)

    def new_link_token(self) -> str:
        """A token for a login link; it works once."""
        token = secrets.token_urlsafe(24)
        self._links.add(token)
        return token

    def exchange(self, token: str) -> str:
        """The session cookie's value for a login token, which is used up.

        Raises:
            NotAllowed: the token is unknown or was used.
        """
        if token not in self._links:
            raise NotAllowed("This login link was used already, or is not of this server.", hint="Run `noria login`.")
        self._links.discard(token)
        expires = str(int(self._clock()) + SESSION_S)
        return f"{expires}.{self._sign(expires)}"

    def _check_origin(self, headers: Mapping[str, str]) -> bool:
        """Refuse foreign hosts and origins; True when the request names this server as its origin."""
        host = headers.get("host", "")
        if _name(host) not in self._hosts:
            raise NotAllowed(
                f"This server does not answer to the name {host[:80]!r}.",
                status=403,
                hint="Add it to `allowed_hosts` if it is yours.",
            )
        origin = headers.get("origin")
        if origin is None:
            return False
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or parts.netloc.lower() != host.lower():
            raise NotAllowed(f"Requests from {origin[:80]!r} are not accepted here.", status=403)
        return True

    def _is_key(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._key.reveal().encode())

    def _is_session(self, cookies: str) -> bool:
        try:
            morsel = SimpleCookie(cookies).get(COOKIE)
        except CookieError:
            return False
        expires, _, signature = (morsel.value if morsel else "").partition(".")
        if not expires.isdecimal() or not hmac.compare_digest(signature.encode(), self._sign(expires).encode()):
            return False
        return int(expires) > self._clock()

    def _sign(self, expires: str) -> str:
        return hmac.new(self._key.reveal().encode(), b"session " + expires.encode(), hashlib.sha256).hexdigest()


def cookie_header(value: str, *, secure: bool) -> str:
    """The ``Set-Cookie`` header of a session."""
    flags = "; Secure" if secure else ""
    return f"{COOKIE}={value}; Path=/; Max-Age={SESSION_S}; HttpOnly; SameSite=Strict{flags}"


def is_loopback(host: str) -> bool:
    """Whether an address that the server binds is reachable from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
