"""Provider keys encrypted at rest: one file a provider, AES-256-GCM, sealed to the provider's base URL.

The master key is never in the folder. A file that is copied to another provider's name, or whose base URL is changed, can't be
opened: both are part of what is authenticated (NIST SP 800-38D, additional authenticated data).
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput, UnknownName
from noria.core.identity import canonical
from noria.core.protocols import Clock
from noria.core.secrets import StoredSecret
from noria.stores.disk import disk_errors, make_folder, write_whole

_KEY_BYTES, _NONCE_BYTES = 32, 12
_LONGEST = 64 * 1024


class _File(msgspec.Struct, frozen=True):
    """What a file holds."""

    secret: StoredSecret
    nonce: bytes
    sealed: bytes


class SecretsFolder:
    """The keys of providers, by provider.

    Arguments:
        path: the folder; made when the first key is stored.
        master: gives the master key, 32 bytes. Asked when a key is stored or read. Raises ``InvalidInput``.
        now: the clock.
    """

    def __init__(self, path: Path, master: Callable[[], bytes], now: Clock) -> None:
        self._path = path
        self._master = master
        self._now = now

    def put(self, provider: str, base_url: str, key: str) -> StoredSecret:
        """Store a provider's key, in place of the one before. Raises ``InvalidInput``."""
        if not (key and key.isascii() and key.isprintable() and len(key) < _LONGEST):
            raise InvalidInput("This is no key: it is empty, or holds a character that no HTTP header can carry.")
        secret = StoredSecret(provider=provider, base_url=base_url, stored_ns=self._now())
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher().encrypt(nonce, key.encode(), canonical(secret))
        file = self._file(provider)
        with disk_errors(file):
            make_folder(self._path, mode=0o700)
            write_whole(file, msgspec.json.encode(_File(secret, nonce, sealed)), mode=0o600)
        return secret

    def get(self, provider: str, base_url: str) -> str | None:
        """A provider's key for this base URL; None where none is stored.

        Raises:
            InvalidInput: it was stored for another base URL; the master key is missing or another one; the file was changed.
        """
        file = self._read(provider)
        if file is None:
            return None
        if file.secret.base_url != base_url:
            error = InvalidInput(
                f"The key of provider {provider!r} was stored for another base URL than the provider has now, where it is not sent.",
                kept="The key is kept.",
                hint=f"Store the key for the new address: noria secrets set {provider}.",
            )
            error.inside = f"It was stored for {file.secret.base_url}; the provider is at {base_url}."
            raise error
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  # only who stores keys needs it

        try:
            return str(self._cipher().decrypt(file.nonce, file.sealed, canonical(file.secret)).decode())
        except InvalidTag:
            raise InvalidInput(
                f"The stored key of provider {provider!r} can't be opened: the master key is another one, or the file was changed.",
                hint="Set NORIA_SECRETS_KEY to the key that it was stored with, or store it again.",
            ) from None

    def list(self) -> list[StoredSecret]:
        """What is stored, by provider."""
        names = sorted(path.stem for path in self._path.glob("*.json")) if self._path.is_dir() else []
        return [file.secret for name in names if (file := self._read(name))]

    def remove(self, provider: str) -> StoredSecret:
        """Delete a provider's key. Raises ``UnknownName``."""
        file = self._read(provider)
        if file is None:
            raise UnknownName(f"No key of provider {provider!r} is stored.")
        with disk_errors(self._path):
            self._file(provider).unlink(missing_ok=True)
        return file.secret

    def _file(self, provider: str) -> Path:
        if not provider.replace("-", "").replace("_", "").replace(".", "").isalnum() or provider.startswith("."):
            raise InvalidInput(f"A provider called {provider[:40]!r} can't have a stored key.")
        return self._path / f"{provider}.json"

    def _read(self, provider: str) -> _File | None:
        path = self._file(provider)
        with disk_errors(path):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                return None
        try:
            file = msgspec.json.decode(content, type=_File)
        except UNREADABLE:
            raise InvalidInput(f"{path} holds no stored key.", hint="Store the key again.") from None
        if file.secret.provider != provider:
            raise InvalidInput(f"{path} holds the key of another provider.", hint="Store the key again.")
        return file

    def _cipher(self) -> Any:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  # see above
        except ImportError:
            raise InvalidInput(
                "Stored keys need the package cryptography, which is not there.",
                hint=f"Install it beside Noria: {sys.executable} -m pip install 'cryptography>=50'",
            ) from None
        return AESGCM(self._master())


def master_key(text: str, file: str, folder: Path) -> bytes:
    """The master key from the environment's text, else from a file that its owner alone may read, outside of ``folder``.

    Raises:
        InvalidInput: there is none, it is too weak, or the file may be read by others or lies among the data.
    """
    if not text and file:
        path = Path(file).expanduser().absolute()
        if path.resolve().is_relative_to(folder.resolve()):
            raise InvalidInput(f"The master key {path} lies in the data folder.", hint="Keep it apart from the data.")
        text = private_text(path)
    if not text:
        raise InvalidInput(
            "Stored keys need a master key, and there is none.",
            hint="Set NORIA_SECRETS_KEY or NORIA_SECRETS_KEY_FILE where Noria runs; a running server has to be started again. "
            "Make one: openssl rand -base64 32",
        )
    try:
        key = base64.b64decode(text.strip().replace("-", "+").replace("_", "/") + "==")
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise InvalidInput(
            f"The master key must be {_KEY_BYTES} random bytes in base64.", hint="Make one: openssl rand -base64 32"
        )
    return key


def private_text(path: Path) -> str:
    """The text of a file that holds a key. Raises ``InvalidInput`` where others than its owner may read it."""
    with disk_errors(path):
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise InvalidInput(f"{path} holds a key, and others than its owner may read it.", hint=f"chmod 600 {path}")
        try:
            return path.read_text(encoding="utf-8").strip()
        except UnicodeDecodeError:
            raise InvalidInput(f"{path} holds no key.") from None
