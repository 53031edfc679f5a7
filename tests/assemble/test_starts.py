from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from noria.assemble import open_workspace
from noria.assemble.starts import note_key, note_settings
from noria.settings import Provider, Settings
from noria.stores.catalogue import Catalogue
from noria.stores.catalogue.audit import Audit


@pytest.fixture
def audit(tmp_path: Path) -> Iterator[Audit]:
    with Catalogue.open(f"sqlite:///{tmp_path / 'c.sqlite'}", now=lambda: 1) as catalogue:
        yield catalogue.audit


def start(audit: Audit, settings: Settings, *, version: str = "1") -> None:
    note_settings(audit, settings, key_from_environment=False, version=version)


def test_a_start_with_other_settings_is_told_once(audit: Audit) -> None:
    settings = Settings(port=1)
    for _ in range(2):
        start(audit, settings)
    start(audit, settings, version="2")
    start(audit, msgspec.structs.replace(settings, port=0), version="2")
    changes = [entry.details["changed"] for entry in audit.list(action="settings.changed")]
    assert changes == [["port"], ["version"], ["admin_key", "port", "version"]]


def test_no_password_of_any_url_is_told(audit: Audit) -> None:
    settings = Settings(
        catalogue="postgresql+psycopg://ada:hush1@db/noria?password=hush2",
        blobs="s3://key:hush3@bucket/prefix",
        providers={"up": Provider(base_url="http://x.example/v1?token=hush4")},
    )
    start(audit, settings)
    [entry] = audit.list(action="settings.changed")
    assert "hush" not in str(entry)
    assert entry.details["settings"]["catalogue"] == "postgresql+psycopg://ada@db/noria?..."


def test_another_key_is_told_without_the_key(audit: Audit) -> None:
    for key in ("noria_secret_one", "noria_secret_one", "noria_secret_two"):
        note_key(audit, key)
    entries = audit.list(action="key.made")
    assert len(entries) == 2
    assert "secret" not in str(entries)


async def test_a_new_folder_tells_of_its_key(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path / "data"))
    for _ in range(2):
        async with open_workspace(settings, {}, holder="a test") as workspace:
            workspace.announce("http://127.0.0.1:1")
            actions = [entry.action for entry in workspace.catalogue.audit.list()]
    assert actions == ["settings.changed", "key.made", "catalogue.made"]
