"""Who may come in. Default deny: a route without a rule answers nobody.

Three checks, in this order, on every request:

1. ``Host`` must be a name of this server, and ``Origin``, when there is one, this very server: a page of another origin
   (loopback is no boundary) and a rebound DNS name are refused before anything else is looked at.
2. The route's rule (:func:`rule_of`): public, or which permissions open it.
3. For all but public ones: ``Authorization: Bearer <key>``, ``x-api-key: <key>`` or ``x-goog-api-key: <key>``, or a session cookie;
   a cookie alone may change nothing unless the request also carries this server's own ``Origin``. A key in the query
   (``?key=``, as Google allows) is not read: queries end up in the logs of every proxy on the way.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import ipaddress
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from noria.core.errors import NotAllowed
from noria.core.keys import Key, Permission
from noria.serve.misdirected import CUT_SHORT
from noria.settings import Secret

Rule = tuple[Permission | Literal["public"], ...]
"""Permissions of which one is enough; the admin key and a browser's session have all."""

PUBLIC: frozenset[str] = frozenset({"/", "/healthz", "/readyz", "/login"})
"""Paths that answer without a key. With ``/static/...`` these are all; a test lists every route with its rule."""
STATIC = "/static/"
SESSION_S = 30 * 24 * 3600
"""Life of a browser session, seconds."""
LINK_S = 24 * 3600
"""Life of a login link that nobody opens, seconds."""
SHARED_LINK_S = 600
"""Life of a link that several processes take, seconds."""
KEY = "noria.key"
"""Where in the ASGI scope the caller's virtual key is; None there for the admin key."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_MOST_SEEN = 64
_WRONG = "The key is wrong."
_INGEST = frozenset({"/v1/traces", "/v1/logs", "/v1/metrics"})
"""OpenTelemetry's intake, which shares its prefix with the wires."""
_GATEWAY = ("/v1/", "/v1beta/", "/v1beta1/", "/v2/")
"""Where the wires that callers speak are."""
_ADMIN = ("/api/keys", "/api/secrets", "/api/backup", "/api/login-tokens")
"""What not even a reader is shown."""
_QUERIES = frozenset({"/api/traces/query"})
"""Questions that are too long for a URL, so that they come by POST."""
_SLASHES = re.compile("/{2,}")
_HOST = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE)
"""``Host`` (RFC 9110, section 7.2): a name or a bracketed IPv6 address, a port, and nothing else."""


@functools.lru_cache(maxsize=1024)
def rule_of(method: str, path: str) -> Rule:
    """The rule of a route. What no line here knows needs ``admin``.

    Empty pieces of the path count for nothing, because the REST API's router passes over them: ``/api//keys`` is ``/api/keys``.
    """
    if "//" in path:
        path = _SLASHES.sub("/", path)
    if path in PUBLIC or path.startswith(STATIC):
        return ("public",)
    if path in _INGEST or (path == "/api/scores" and method == "POST"):
        return ("ingest",)
    if path.startswith(_GATEWAY) or path in CUT_SHORT:  # who calls these is told what is wrong with it
        return ("gateway",)
    if path.startswith(_ADMIN):
        return ("admin",)
    reads = method in SAFE_METHODS or (method == "POST" and path in _QUERIES)
    if reads and path.startswith("/api/prompts/"):
        return ("read", "gateway")  # an application that renders its prompts itself
    return ("read",) if reads and path.startswith(("/api/", "/metrics")) else ("admin",)


class Access:
    """Decides about requests. Holds the admin key and the login links that were not used yet.

    Arguments:
        key: the admin key.
        hosts: names under which the server may be called, without ports.
        clock: seconds since 1970, for the life of sessions.
        shared: whether other processes with the same key must take the login links that this one makes.
        find: the virtual key in force that a text is; None where it is none.
    """

    def __init__(
        self,
        key: Secret,
        hosts: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
        *,
        shared: bool = False,
        find: Callable[[str], Key | None] = lambda _: None,
    ) -> None:
        self._key = key
        self._find = find
        self._shared = shared
        self._clock = clock
        self._hosts = {"127.0.0.1", "localhost", "::1", *(host.strip("[]").lower() for host in hosts)}
        self._seen: set[str] = set()  # hosts that were found to be right, as callers write them
        self._links: dict[str, float] = {}
        self._used: dict[str, float] = {}  # links that several processes take
        # Browsers keep one set of cookies for all ports of a host: two servers must not overwrite each other's.
        self.cookie = f"noria_{self._sign('cookie')[:12]}"
        """Name of the session cookie."""

    def check(self, method: str, path: str, headers: Mapping[str, str]) -> Key | None:
        """Let the request in, or raise.

        Arguments:
            method: HTTP method, in capitals.
            path: decoded path, without the query.
            headers: names in lower case.

        Returns:
            The virtual key that it came with; None for the admin key, a session, and where none is needed.

        Raises:
            NotAllowed: 403 for a foreign Host or Origin, or a key that may not do this; 401 for a missing or wrong key.
        """
        own_origin = self._check_origin(headers)
        rule = rule_of(method, path)
        if rule[0] == "public":
            return None
        given = self._given(headers)
        if given:
            return self._opened(given, rule)
        if not self._is_session(headers.get("cookie", "")):
            raise NotAllowed(
                "This needs a key.",
                hint="Send `Authorization: Bearer <key>` (NORIA_API_KEY, or admin.key in the data folder), "
                "or open the link that `noria login` prints.",
            )
        if method not in SAFE_METHODS and not own_origin:
            raise NotAllowed("A browser session may change things only from Noria's own pages.", status=403)
        return None

    def check_key(self, headers: Mapping[str, str], rule: Rule) -> Key | None:
        """The check of callers that no browser can be, such as gRPC's: the key, and nothing else. Raises ``NotAllowed``."""
        given = self._given(headers)
        if not given:
            raise NotAllowed("This needs a key.", hint="Send it as metadata: `authorization: Bearer <key>`.")
        return self._opened(given, rule)

    @staticmethod
    def _given(headers: Mapping[str, str]) -> str:
        """The key that was sent; empty where none was. Raises ``NotAllowed`` for another scheme."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if not given:  # some exporters, and Anthropic's and Google's clients, send no other
            return headers.get("x-api-key", "").strip() or headers.get("x-goog-api-key", "").strip()
        if scheme.lower() != "bearer":
            raise NotAllowed(_WRONG, hint="Send it as `Authorization: Bearer <key>`.")
        return given.strip()

    def _opened(self, given: str, rule: Rule) -> Key | None:
        """The virtual key that was given; None for the admin key. Raises ``NotAllowed`` where it does not open this."""
        key = self._find(given)  # most callers have one
        if key is None:
            if self._is_key(given):
                return None
            raise NotAllowed(
                _WRONG, hint="Send the admin key, or one of `noria keys`, as `Authorization: Bearer <key>`."
            )
        for permission in rule:
            if permission != "public" and key.may(permission):
                break
        else:
            raise NotAllowed(
                f"The key {key.name!r} may not do this: it needs the permission {' or '.join(rule)}.",
                status=403,
                hint="Make a key with it: `noria keys create`.",
            )
        return key

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
        if host not in self._seen:
            self._check_host(host)
        origin = headers.get("origin")
        if origin is None:
            return False
        if origin.lower() not in {f"http://{host.lower()}", f"https://{host.lower()}"}:
            raise NotAllowed(f"Requests from {origin[:80]!r} are not accepted here.", status=403)
        return True

    def _check_host(self, host: str) -> None:
        match = _HOST.fullmatch(host)
        if not match or match["name"].strip("[]").lower() not in self._hosts:
            raise NotAllowed(
                f"This server does not answer to the name {host[:80]!r}.",
                status=403,
                hint="Add it to `allowed_hosts` if it is yours.",
            )
        if len(self._seen) < _MOST_SEEN:
            self._seen.add(host)

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


def trusts(key: Key | None) -> bool:
    """Whether what a caller says of calls is taken as it is: the admin key's, and of a key that may do all."""
    return key is None or key.may("admin")


def is_loopback(host: str) -> bool:
    """Whether an address that the server binds is reachable from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
