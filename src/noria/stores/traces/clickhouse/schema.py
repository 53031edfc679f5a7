"""The database of a store: made, recognised, brought up to date."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from noria.core.errors import InvalidInput
from noria.stores.traces.clickhouse.address import Address
from noria.stores.traces.clickhouse.tables import VERSION, on_cluster, statements

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Step = Callable[[Address], list[str]]
_STEPS: tuple[Step, ...] = (statements,)
"""Step ``i`` turns version ``i`` into the next. Each must bear being run again, because a crash may repeat it, and being
run by two processes at once: ``IF NOT EXISTS``."""


def prepare(client: Client, place: Address) -> None:
    """Make the tables, or bring them up to date.

    Raises:
        InvalidInput: a newer Noria made them.
    """
    client.command(f"CREATE DATABASE IF NOT EXISTS {place.database}{on_cluster(place)}")
    client.database = place.database
    found = version(client, place)
    if found > VERSION:
        raise InvalidInput(
            f"The trace store at {place} has schema version {found}; this Noria knows up to {VERSION}.",
            kept="It was not changed.",
            hint="Use the Noria that made it, or a newer one.",
        )
    for number, step in enumerate(_STEPS[found:], start=found + 1):
        for statement in step(place):
            client.command(statement)
        client.command(f"INSERT INTO versions (version) VALUES ({number})")  # noqa: S608 - a number


def version(client: Client, place: Address) -> int:
    """Version of the tables; 0 where there are none."""
    [[there]] = client.query(
        f"SELECT count() FROM system.tables WHERE database = '{place.database}' AND name = 'versions'"  # noqa: S608
    ).result_rows
    if not there:
        return 0
    [[found]] = client.query("SELECT max(version) FROM versions").result_rows
    return int(found)
