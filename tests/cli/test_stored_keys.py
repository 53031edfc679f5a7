"""``noria secrets``: a stored key reaches its provider, and nothing else."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import sys
import tarfile

import pytest
from noria_cli import Noria

KEY = "sk-stored-" + secrets.token_hex(16)
MASTER = base64.b64encode(secrets.token_bytes(32)).decode()


def test_a_stored_key_from_its_storing_to_its_end(noria: Noria) -> None:
    providers = json.loads(noria.environ["NORIA_PROVIDERS"])
    noria.environ["NORIA_PROVIDERS"] = json.dumps({"fake": providers["fake"] | {"api_key_env": "FAKE_KEY"}})
    stored = noria.here("secrets", "set", "fake", input=f"{KEY}\n")
    assert stored.exit_code == 2
    assert "need a master key" in stored.stderr
    noria.environ["NORIA_SECRETS_KEY"] = MASTER
    stored = noria.here("secrets", "set", "fake", input=f"{KEY}\n")
    assert stored.exit_code == 0, stored.stderr
    assert "Reading the key of fake from standard input" in stored.stderr
    assert providers["fake"]["base_url"] in stored.stdout
    empty = noria.here("secrets", "set", "fake", input="\n")
    assert (empty.exit_code, "No key came" in empty.stderr) == (2, True)
    assert noria.here("secrets", "set", "nobody", input=f"{KEY}\n").exit_code == 2
    assert noria.json("secrets", "list")[0]["provider"] == "fake"
    assert noria.json("audit", "list", "--action", "secret.")[0]["action"] == "secret.set"
    backup = noria.folder.parent / "backup.tar"
    assert noria.here("backup", backup).exit_code == 0
    with tarfile.open(backup) as archive:
        assert not [name for name in archive.getnames() if "secret" in name]
    for path in (backup, *(path for path in noria.folder.rglob("*") if path.is_file())):
        content = path.read_bytes()
        assert KEY.encode() not in content, path
        assert MASTER.encode() not in content, path
    assert "is deleted" in noria.here("secrets", "remove", "fake").stdout


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such terminals")
def test_a_key_is_asked_for_at_a_terminal_and_not_seen(noria: Noria) -> None:
    noria.environ["NORIA_SECRETS_KEY"] = MASTER
    ours, its = os.openpty()
    with noria.start("secrets", "set", "fake", stdin=its, start_new_session=True, measured=False) as process:
        os.close(its)
        assert process.stderr is not None
        asked = process.stderr.read(len("Key of fake: "))
        os.write(ours, f"{KEY}\n".encode())
        out, _ = process.communicate(timeout=60)
    os.set_blocking(ours, False)
    with contextlib.suppress(OSError):  # nobody has the other end any more
        assert KEY.encode() not in os.read(ours, 4096)
    os.close(ours)
    assert (asked, process.returncode) == ("Key of fake: ", 0)
    assert "is stored" in out
