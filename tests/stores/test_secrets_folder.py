"""Keys of providers at rest: encrypted, bound to one address, and of no use without the master key."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noria.core.errors import InvalidInput, UnknownName
from noria.stores.secrets import SecretsFolder, master_key, private_text

MASTER = secrets.token_bytes(32)
URL, OTHER = "https://api.example.com/v1", "https://evil.example/v1"
KEY = "sk-swordfish-0123456789"


@pytest.fixture
def folder(tmp_path: Path) -> SecretsFolder:
    return SecretsFolder(tmp_path / "secrets", lambda: MASTER, lambda: 7)


def test_a_key_comes_back_for_its_address_alone(folder: SecretsFolder, tmp_path: Path) -> None:
    assert folder.get("up", URL) is None
    folder.put("up", URL, KEY)
    assert folder.get("up", URL) == KEY
    with pytest.raises(InvalidInput, match="was stored for another base URL") as caught:
        folder.get("up", OTHER)
    assert KEY not in caught.value.with_inside
    assert URL not in str(caught.value)
    assert URL in caught.value.inside
    [stored] = folder.list()
    assert (stored.provider, stored.base_url, stored.stored_ns) == ("up", URL, 7)
    file = tmp_path / "secrets" / "up.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert KEY.encode() not in file.read_bytes()
    assert base64.b64encode(KEY.encode())[:16] not in file.read_bytes()
    folder.remove("up")
    assert folder.get("up", URL) is None
    with pytest.raises(UnknownName):
        folder.remove("up")


def test_a_file_that_somebody_changed_gives_no_key(folder: SecretsFolder, tmp_path: Path) -> None:
    folder.put("up", URL, KEY)
    file = tmp_path / "secrets" / "up.json"
    told = json.loads(file.read_bytes())
    told["secret"]["base_url"] = OTHER
    file.write_text(json.dumps(told))
    with pytest.raises(InvalidInput, match="can't be opened"):
        folder.get("up", OTHER)
    folder.put("up", URL, KEY)
    (tmp_path / "secrets" / "else.json").write_bytes(file.read_bytes())
    with pytest.raises(InvalidInput, match="another provider"):
        folder.get("else", URL)
    file.write_text("{}")
    with pytest.raises(InvalidInput, match="no stored key"):
        folder.get("up", URL)


def test_another_master_key_opens_nothing(folder: SecretsFolder, tmp_path: Path) -> None:
    folder.put("up", URL, KEY)
    stranger = SecretsFolder(tmp_path / "secrets", lambda: secrets.token_bytes(32), lambda: 7)
    with pytest.raises(InvalidInput, match="master key is another one"):
        stranger.get("up", URL)


@pytest.mark.parametrize("wrong", ["", "k\n", "ä", "x" * 70_000])
def test_what_is_no_key_is_not_stored(folder: SecretsFolder, wrong: str) -> None:
    with pytest.raises(InvalidInput, match="no key"):
        folder.put("up", URL, wrong)
    assert folder.list() == []


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b", "nul\0"])
def test_no_name_leads_out_of_the_folder(folder: SecretsFolder, name: str) -> None:
    with pytest.raises(InvalidInput):
        folder.put(name, URL, KEY)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=300),
    st.text(min_size=1, max_size=80),
)
def test_every_key_comes_back(folder: SecretsFolder, key: str, url: str) -> None:
    folder.put("up", url, key)
    assert folder.get("up", url) == key


def test_the_master_key_is_strong_private_and_elsewhere(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    good = base64.b64encode(MASTER).decode()
    assert master_key(good, "", data) == MASTER
    assert master_key(base64.urlsafe_b64encode(MASTER).decode().rstrip("="), "", data) == MASTER
    outside = tmp_path / "master"
    outside.write_text(good + "\n")
    outside.chmod(0o644)
    with pytest.raises(InvalidInput, match="others than its owner"):
        master_key("", str(outside), data)
    outside.chmod(0o600)
    assert master_key("", str(outside), data) == MASTER
    assert private_text(outside) == good
    inside = data / "master"
    inside.write_text(good)
    inside.chmod(0o600)
    for text, file in (("", ""), ("password", ""), ("%%%", ""), ("", str(inside)), ("", str(tmp_path / "none"))):
        with pytest.raises(InvalidInput):
            master_key(text, file, data)
