"""Deleting spans and stripping their texts: from the tables' files, not only from answers.

The spans are chosen first, by their ids, then altered by a mutation, which writes the parts that hold them anew. The old
parts leave the disk a second later; whoever asked is answered when they have.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, NamedTuple

from noria.core.errors import Unavailable
from noria.stores.traces.clickhouse.address import Address
from noria.stores.traces.clickhouse.compile import compile_choice
from noria.stores.traces.clickhouse.tables import local, on_cluster
from noria.stores.traces.clickhouse.values import text_of_json
from noria.stores.traces.plan import Plan
from noria.stores.traces.rows import LONG_TEXT

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_GONE_S = 120.0
_POLL_S = 0.1
_LONG_ONE = f"ifNull(lengthUTF8({text_of_json('v')}) > {LONG_TEXT}, 0)"
_HAS_TEXTS = (
    "input != '[]' OR output != '[]' OR documents != '[]' OR events != '[]' OR error_message IS NOT NULL"
    f" OR notEmpty(mapKeys(variables)) OR arrayExists(v -> {_LONG_ONE}, mapValues(attributes))"
)
_STRIPPED = (
    "input = '[]', output = '[]', documents = '[]', events = '[]', error_message = NULL, variables = map(),"
    f" attributes = mapFilter((k, v) -> NOT {_LONG_ONE}, attributes)"
)


class Eraser(NamedTuple):
    """Deletes and strips, with one client."""

    client: Client
    place: Address
    wait: bool
    """Whether to return only when the old files are gone."""

    def delete(self, chosen: Plan) -> int:
        """Delete the spans of ``chosen``, and their scores; how many."""
        return self._alter(compile_choice(chosen, "{0}, trace_id, span_id"), ("scores", "spans", "places"), "DELETE")

    def strip(self, chosen: Plan) -> int:
        """Strip the spans of ``chosen`` that have texts; how many."""
        return self._alter(
            compile_choice(chosen, "{0}, trace_id, span_id", _HAS_TEXTS), ("spans",), f"UPDATE {_STRIPPED}"
        )

    def _alter(self, choice: str, tables: tuple[str, ...], change: str) -> int:
        job = secrets.token_hex(16)
        self.client.command(f"INSERT INTO chosen {choice.replace('{0}', repr(job), 1)}", settings=self._sure)
        [[count]] = self.client.query(f"SELECT count() FROM chosen WHERE job = '{job}'").result_rows  # noqa: S608
        if count:
            mine = f"SELECT trace_id, span_id FROM {local('chosen', self.place)} WHERE job = '{job}'"  # noqa: S608
            for table in tables:
                self._mutate(table, f"{change} WHERE (trace_id, span_id) IN ({mine})")
            self._mutate("chosen", f"DELETE WHERE job = '{job}'")
            self._wait_until_gone(tables)
        return int(count)

    def _mutate(self, table: str, change: str) -> None:
        self.client.command(
            f"ALTER TABLE {local(table, self.place)}{on_cluster(self.place)} {change}",
            settings={"mutations_sync": 2, "allow_nondeterministic_mutations": 1},
        )

    @property
    def _sure(self) -> dict[str, int | str]:
        """The chosen ids must be on every replica before they are looked at there."""
        if not self.place.cluster:
            return {}
        return {"distributed_foreground_insert": 1, "insert_quorum": "auto"}

    def _wait_until_gone(self, tables: tuple[str, ...]) -> None:
        names = ", ".join(f"'{local(table, self.place)}'" for table in tables)
        parts = (
            "system.parts" if not self.place.cluster else f"clusterAllReplicas('{self.place.cluster}', system.parts)"
        )
        asked = f"SELECT count() FROM {parts} WHERE NOT active AND database = currentDatabase() AND table IN ({names})"  # noqa: S608
        deadline = time.monotonic() + _GONE_S
        while self.wait:
            [[left]] = self.client.query(asked).result_rows
            if not left:
                return
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"The records are deleted; {left} old files of the trace store at {self.place} are still on disk.",
                    kept="No answer shows them.",
                    hint="ClickHouse removes them by itself when no query reads them any more.",
                )
            time.sleep(_POLL_S)
