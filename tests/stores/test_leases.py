"""What one process alone may do, on a catalogue that others share."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from noria.stores.catalogue import Catalogue


def test_a_lease_is_had_by_one_and_then_by_another(catalogue_url: str, now: Callable[[], int]) -> None:
    with Catalogue.open(catalogue_url, now=now) as one, Catalogue.open(catalogue_url, now=now) as other:
        lease = one.leases.take("retention")
        assert lease is not None
        assert lease.held
        elsewhere = other.leases.take("retention")
        assert (elsewhere is None) == catalogue_url.startswith("postgresql")
        assert other.leases.take("something else") is not None
        lease.release()
        lease.release()
        assert other.leases.take("retention") is not None
    # closing a catalogue has let go of all


@pytest.mark.postgres
def test_a_lease_ends_with_its_connection(postgres_url: str, now: Callable[[], int]) -> None:
    with Catalogue.open(postgres_url, now=now) as one, Catalogue.open(postgres_url, now=now) as other:
        lease = one.leases.take("retention")
        assert lease is not None
        with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
        assert not lease.held
        assert other.leases.take("retention") is not None


def test_changes_of_another_are_seen(catalogue_url: str, now: Callable[[], int]) -> None:
    with Catalogue.open(catalogue_url, now=now) as one, Catalogue.open(catalogue_url, now=now) as other:
        one.look()
        before = one.changes
        one.look()
        assert one.changes == before
        other.apps.put("greeter", "", by="somebody")
        one.look()
        assert one.changes != before
