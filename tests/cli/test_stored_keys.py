"""``noria secrets``: a stored key reaches its provider, and nothing else."""

from __future__ import annotations

import base64
import json
import secrets
import tarfile

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
    assert providers["fake"]["base_url"] in stored.stdout
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
