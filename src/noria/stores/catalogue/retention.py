"""Rules of retention, by app."""

from __future__ import annotations

import builtins

from sqlalchemy import delete, insert, select

from noria.core.audit import SYSTEM
from noria.core.errors import InvalidInput
from noria.core.protocols import Clock
from noria.core.retention import RetentionRule
from noria.stores.catalogue.audit import record
from noria.stores.catalogue.database import Database
from noria.stores.catalogue.names import check_text, unknown
from noria.stores.catalogue.records import decode, encode
from noria.stores.catalogue.tables import retention

_LONGEST = 36_500
"""Days: a hundred years."""


class Retention:
    """``catalogue.retention``."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    def put(self, rule: RetentionRule, *, by: str = SYSTEM) -> RetentionRule:
        """Store the rule for its app, in place of what was there before.

        Raises:
            InvalidInput: it says nothing, or texts would outlive their spans.
        """
        _check(rule)
        body = encode(rule)
        of_app = retention.c.app == rule.app
        with self._database.write() as connection:
            if connection.execute(select(retention.c.body).where(of_app)).scalar() != body:
                connection.execute(delete(retention).where(of_app))
                connection.execute(insert(retention).values(app=rule.app, body=body))
                details = {"texts_days": rule.texts_days, "spans_days": rule.spans_days}
                record(connection, self._now, "retention.set", rule.app, by=by, experiments=rule.experiments, **details)
        return rule

    def list(self) -> builtins.list[RetentionRule]:
        """All rules, by app."""
        query = select(retention.c.body).order_by(retention.c.app)
        with self._database.read() as connection:
            return [decode(body, RetentionRule) for body in connection.execute(query).scalars()]

    def remove(self, app: str, *, by: str = SYSTEM) -> RetentionRule:
        """Forget the rule, and return what it was. Raises ``UnknownName``."""
        with self._database.write() as connection:
            body = connection.execute(
                select(retention.c.body).where(retention.c.app == check_text("app", app))
            ).scalar()
            if body is None:
                known = sorted(connection.execute(select(retention.c.app)).scalars())
                raise unknown("rule of retention for", app, known)
            connection.execute(delete(retention).where(retention.c.app == app))
            record(connection, self._now, "retention.removed", app, by=by)
        return decode(body, RetentionRule)


def _check(rule: RetentionRule) -> None:
    if not check_text("app", rule.app).strip():
        raise InvalidInput("The rule names no app.", hint="Use * for all apps without a rule of their own.")
    if rule.texts_days is None and rule.spans_days is None:
        raise InvalidInput(f"The rule for {rule.app!r} says nothing.", hint="Give days for texts, for spans, or both.")
    for what, days in (("Texts", rule.texts_days), ("Spans", rule.spans_days)):
        if days is not None and not 1 <= days <= _LONGEST:
            raise InvalidInput(f"{what} are to be kept {days} days; choose 1 to {_LONGEST}.")
    if rule.texts_days is not None and rule.spans_days is not None and rule.texts_days >= rule.spans_days:
        raise InvalidInput(
            f"Texts are to be kept {rule.texts_days} days and their spans {rule.spans_days}: they go with the span.",
            hint="Give texts fewer days than spans, or leave them out.",
        )
