"""Settings from a file, the environment and the command line, and where they are wrong."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput
from noria.core.refusals import Check, line_of, told
from noria.settings.checks import checks
from noria.settings.settings import VARIABLES, Settings

_WHOLE = {
    "port": "a port number",
    "keep_free_mb": "a number of megabytes",
    "cache_mb": "a number of megabytes",
    "otlp_max_body_bytes": "a number of bytes",
    "otlp_grpc_port": "a port number",
    "large_content_bytes": "a number of bytes",
    "max_calls": "a number of calls",
    "max_waiting": "a number of calls",
    "max_late_ms": "a number of milliseconds",
}
"""Settings that are whole numbers, and of what."""


def load_settings(
    environ: Mapping[str, str],
    directory: Path,
    overrides: Mapping[str, Any] | None = None,
    *,
    also: Callable[[Settings], Iterable[Check]] = lambda _: (),
) -> Settings:
    """Read the configuration.

    Arguments:
        environ: environment variables.
        directory: where ``noria.toml`` is looked for.
        overrides: settings given on the command line; None values are not given.
        also: checks of what other rooms know, such as the kinds of guards.

    Raises:
        InvalidInput: naming the file or variable, the setting, and what is wrong with it.
    """
    path, text = _file(environ, directory)
    written = _from_file(path, text)
    values = dict(written)
    for field, variable in VARIABLES.items():
        if environ.get(variable):
            values[field] = _from_variable(field, variable, environ[variable])
    values.update({name: value for name, value in (overrides or {}).items() if value is not None})
    settings = _convert(values, "The command line and environment")
    for place, check in chain(checks(settings), also(settings)):
        try:
            check()
        except InvalidInput as error:
            line = line_of(place, text) if values[place[0]] is written.get(place[0]) else None
            if line is None:
                raise
            raise InvalidInput(f"{path}, line {line}: {error.message}", kept=error.kept, hint=error.hint) from error
    return settings


def load_address(environ: Mapping[str, str], directory: Path, overrides: Mapping[str, Any]) -> Settings:
    """Of the configuration only what says where a running server is, ``data`` and ``url``, however wrong the rest may be.

    Raises:
        InvalidInput: one of these is wrong, or the file can't be read.
    """
    found = _address_in(_file(environ, directory)[1])
    for field in ("data", "url"):
        given = overrides.get(field) or environ.get(VARIABLES[field])
        if given:
            found[field] = given
    return _convert(found, "The command line and environment")


def _file(environ: Mapping[str, str], directory: Path) -> tuple[Path, str]:
    """The configuration file and its text, which is empty where there is none."""
    named = environ.get("NORIA_CONFIG")
    path = Path(named).expanduser() if named else directory / "noria.toml"
    try:
        return path, path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if named:
            raise InvalidInput(f"NORIA_CONFIG names {path}, which does not exist.") from None
        return path, ""
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"Can't read {path}: {error}.") from error


def _from_file(path: Path, text: str) -> dict[str, Any]:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{path} is not valid TOML: {error}.") from error
    plain: dict[str, Any] = _dates_as_texts(values)
    _convert(plain, str(path), text)
    return plain


def _address_in(text: str) -> dict[str, Any]:
    """``data`` and ``url`` of a file that may be no TOML as a whole: they stand before its tables, each on a line."""
    found: dict[str, Any] = {}
    for line in text.splitlines():
        if line.lstrip().startswith("["):
            break
        with contextlib.suppress(tomllib.TOMLDecodeError):
            found |= tomllib.loads(line)
    return {field: found[field] for field in ("data", "url") if field in found}


def _from_variable(field: str, variable: str, text: str) -> Any:
    if field == "allowed_hosts" and not text.startswith("["):
        return [host.strip() for host in text.split(",") if host.strip()]
    if field in {"providers", "allowed_hosts", "caches", "prices", "routes", "aliases", "guards"}:
        try:
            return msgspec.json.decode(text)
        except UNREADABLE as error:
            raise InvalidInput(f"{variable} is not valid JSON: {error}.") from error
    if field in _WHOLE:
        if not text.isdecimal():
            raise InvalidInput(f"{variable} is {_WHOLE[field]}, not {text!r}.")
        return int(text)
    return text


def _convert(values: Mapping[str, Any], where: str, text: str = "") -> Settings:
    try:
        settings = msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        said, place = told(error, values, partial(msgspec.convert, type=Settings))
        line = line_of(place, text)
        where += f", line {line}" if line else ""
        raise InvalidInput(
            f"{where}: {'.'.join(place)}: {said}.",
            hint="docs/settings.md says what may stand there."
            if len(place) > 1
            else f"The settings are: {', '.join(Settings.__struct_fields__)}.",
        ) from error
    if settings.keep_free_mb < 0:
        raise InvalidInput(f"{where}: keep_free_mb is a number of megabytes, not {settings.keep_free_mb}.")
    for port in (settings.port, settings.otlp_grpc_port):
        if not 0 <= port < 2**16:
            raise InvalidInput(f"{where}: {port} is no port; choose 0 to 65535.")
    if settings.url and not settings.url.startswith(("http://", "https://")):
        raise InvalidInput(
            f"{where}: {settings.url!r} is no server's URL.",
            hint="Write it as http://127.0.0.1:7700 (NORIA_URL or --url).",
        )
    if settings.large_content_bytes < 1024 or settings.otlp_max_body_bytes < 1024:
        raise InvalidInput(f"{where}: large_content_bytes and otlp_max_body_bytes must be at least 1024.")
    return settings


def _dates_as_texts(value: Any) -> Any:
    """TOML has dates of its own, JSON has none, and the same settings come from both."""
    if isinstance(value, dict):
        return {key: _dates_as_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_dates_as_texts(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
