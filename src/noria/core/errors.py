"""The error tree: everything Noria raises on purpose.

    NoriaError                    what happened, what was kept, what to do next
    ├── InvalidInput              the user's file, flag or request is wrong        exit 2, HTTP 400
    │   ├── UnknownName           no such prompt, app, model, scorer, experiment   exit 2, HTTP 404
    │   ├── TooExpensive          the call would cost more than its caller allows  exit 2, HTTP 400
    │   └── Conflict              it exists already, or another process holds it   exit 2, HTTP 409
    ├── NotAllowed                no key, a wrong key, a foreign Host or Origin    exit 2, HTTP 401 or 403
    ├── Blocked                   a guard stopped the call                         exit 2, HTTP 400
    ├── LimitReached              a rate limit is reached for now                  exit 2, HTTP 429, retryable
    │   └── BudgetUsedUp          the money of this window is used up              exit 2, HTTP 402
    ├── Unavailable               a store, engine or server can't answer now       exit 2, HTTP 503, retryable
    │   ├── EngineFailed          a local engine crashed, or can't run here
    │   ├── StorageFull           nothing more can be made durable
    │   ├── Overloaded            too many calls at once: the newest are turned away
    │   └── BreakerOpen           a model failed so often that it is left alone for some time
    ├── CallFailed                a model was called and did not answer properly   HTTP 502
    │   ├── CallRefused           the provider said no (4xx): the request or key   HTTP as given
    │   ├── Unreachable           nothing listens at the provider's address        HTTP 502, retryable
    │   ├── CallTimeout           no answer in time                                HTTP 504, retryable
    │   ├── CallGarbled           what came is no reply                            HTTP 502, retryable
    │   ├── CallCut               the stream ended before the reply was complete   HTTP 502, retryable
    │   └── Unshowable            the caller's wire has no place for the answer    HTTP 400
    └── Cancelled                 the caller went away

Foreign errors (sockets, SQL, files) are mapped to these once, at the edge where they enter.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from noria.core.limits import Standing

RefusedBy = Literal["limit", "guard", "caller", "breaker", "places"]
"""Who or what turns calls down that no model fails at."""
_NORIAS = frozenset({401, 402, 403, 408, 429})
"""Statuses by which a provider refuses whoever calls it, and not the request."""


class NoriaError(Exception):
    """Root of the tree. ``str(error)`` is one clear sentence, fit to show to a user.

    Arguments:
        message: what was wrong, and where.
        kept: what survived, for example ``"312 finished cases are kept"``; empty when nothing was at stake.
        hint: what to do next, an imperative sentence; empty when there is nothing sensible to say.
    """

    code: ClassVar[str] = "error"
    """Stable machine-readable name, the same in the CLI's ``--json``, the REST API and spans (``error.type``)."""
    status: int = 500
    """HTTP status used when the error leaves through a server."""
    retryable: bool = False
    """True when the same call may succeed later without a change."""

    def __init__(self, message: str, *, kept: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.kept = kept
        self.hint = hint
        self.inside = ""
        """A sentence for whoever runs Noria alone, such as which address was called: on the record, in no answer."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.message, self.kept, self.hint) if part)

    @property
    def with_inside(self) -> str:
        """All of it, for the record and the operator."""
        return f"{self} {self.inside}" if self.inside else str(self)

    @property
    def refused_by(self) -> RefusedBy | None:
        """Who turned a call down, where no model failed at it."""
        return None


class InvalidInput(NoriaError):
    """A file, a flag or a request from outside is wrong; nothing was written."""

    code = "invalid_input"
    status = 400

    @property
    def refused_by(self) -> RefusedBy:
        """Whoever asked for what can't be done."""
        return "caller"


class UnknownName(InvalidInput):
    """Something was asked for by a name or id that is not there."""

    code = "unknown_name"
    status = 404


class TooExpensive(InvalidInput):
    """The call may cost more than its caller, or the route that it goes by, allows; nothing was sent."""

    code = "too_expensive"


class Conflict(InvalidInput):
    """The thing exists already, or another process holds it."""

    code = "conflict"
    status = 409


class NotAllowed(NoriaError):
    """No key, a wrong key, or a request from a foreign origin."""

    code = "not_allowed"
    status = 401

    def __init__(self, message: str, *, status: int = 401, kept: str = "", hint: str = "") -> None:
        super().__init__(message, kept=kept, hint=hint)
        self.status = status


class Blocked(NoriaError):
    """A guard found something in a request or a reply that must not pass."""

    code = "blocked"
    status = 400

    @property
    def refused_by(self) -> RefusedBy:
        """A guard."""
        return "guard"


class LimitReached(NoriaError):
    """A limit on requests, tokens or concurrent calls is reached; the same call may pass later."""

    code = "limit_reached"
    status = 429
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float | None = 1.0, kept: str = "", hint: str = "") -> None:
        super().__init__(message, kept=kept, hint=hint)
        self.retry_after_s = retry_after_s
        """Seconds until the window ends, sent as ``Retry-After``; None where waiting does not help."""
        self.standings: tuple[Standing, ...] = ()
        """How the caller's limits stand, the one that is reached among them."""

    @property
    def refused_by(self) -> RefusedBy:
        """A limit."""
        return "limit"


class BudgetUsedUp(LimitReached):
    """The money of this window is used up.

    HTTP 402 and not 429, because clients try a 429 again after seconds, and a budget is empty for hours or days.
    """

    code = "budget_used_up"
    status = 402
    retryable = False


class Unavailable(NoriaError):
    """A store, an engine or a server cannot answer now; trying again may help."""

    code = "unavailable"
    status = 503
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float = 1.0, kept: str = "", hint: str = "") -> None:
        super().__init__(message, kept=kept, hint=hint)
        self.retry_after_s = retry_after_s
        """Seconds to wait before trying again, sent as ``Retry-After``."""


class EngineFailed(Unavailable):
    """A local engine crashed or can't run on this machine."""

    code = "engine_failed"


class StorageFull(Unavailable):
    """Nothing more can be made durable: the disk is full or read-only.

    HTTP 503 and not 507, because exporters of traces and most other clients try a 503 again, and give up on a 507.
    """

    code = "storage_full"


class Overloaded(Unavailable):
    """Too many calls are under way, here or to one provider; those that came last are turned away at once."""

    code = "overloaded"

    @property
    def refused_by(self) -> RefusedBy:
        """The places, which are all taken."""
        return "places"


class BreakerOpen(Unavailable):
    """A model failed so often lately that it is not called for some time."""

    code = "breaker_open"

    @property
    def refused_by(self) -> RefusedBy:
        """The breaker."""
        return "breaker"


class CallFailed(NoriaError):
    """A model was called and did not answer properly."""

    code = "call_failed"
    status = 502

    def __init__(
        self,
        message: str,
        *,
        status: int = 502,
        retryable: bool = False,
        retry_after_s: float | None = None,
        kept: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, kept=kept, hint=hint)
        self.status = status
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        """Seconds that the provider asked to wait before trying again; None when it did not say."""


class CallRefused(CallFailed):
    """The provider refused the request: its status is in ``status``."""

    code = "call_refused"

    @property
    def refused_by(self) -> RefusedBy | None:
        """The caller, whose request is wrong, unless it is Noria's key or quota that the provider does not take."""
        return "caller" if 400 <= self.status < 500 and self.status not in _NORIAS else None


class Unreachable(CallFailed):
    """Nobody answers at the provider's address: nothing listens there, or its name has no address."""

    code = "unreachable"


class CallTimeout(CallFailed):
    """No answer, or no further token, in time."""

    code = "call_timeout"

    def __init__(self, message: str, *, kept: str = "", hint: str = "") -> None:
        super().__init__(message, status=504, retryable=True, kept=kept, hint=hint)


class CallGarbled(CallFailed):
    """What came is no reply in the provider's dialect: no JSON, JSON of another shape, a reply that begins twice."""

    code = "call_garbled"

    def __init__(self, message: str, *, kept: str = "", hint: str = "") -> None:
        super().__init__(message, status=502, retryable=True, kept=kept, hint=hint)


class CallCut(CallFailed):
    """The stream ended before the reply was complete."""

    code = "call_cut"

    def __init__(self, message: str, *, kept: str = "", hint: str = "") -> None:
        super().__init__(message, status=502, retryable=True, kept=kept, hint=hint)


class Unshowable(CallFailed):
    """The model answered, and the answer holds what the caller's wire has no place for.

    HTTP 400 and not 502, because clients try a 502 again, and the answer would be paid for once more.
    """

    code = "unshowable"

    def __init__(self, message: str, *, kept: str = "", hint: str = "") -> None:
        super().__init__(message, status=400, kept=kept, hint=hint)

    @property
    def refused_by(self) -> RefusedBy:
        """The caller, whose wire it is: no model failed."""
        return "caller"


class Cancelled(NoriaError):
    """The caller went away before the reply was complete."""

    code = "cancelled"
    status = 499
