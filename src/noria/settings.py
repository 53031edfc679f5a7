"""Everything configurable, parsed once into a frozen object and passed down.

Sources, later ones win: the defaults here, ``noria.toml`` (in the working directory, or where ``NORIA_CONFIG`` says),
``NORIA_*`` environment variables, command-line flags. Every field of :class:`Settings` is a key of the file, and
``NORIA_`` with its name in capitals is its environment variable; tables and lists are given there as JSON.
"""

from __future__ import annotations

import contextlib
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from noria.core.caching import CachePolicy, Similar, calibration_id
from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput
from noria.core.guards import GuardRule
from noria.core.prices import AgreedPrice
from noria.core.refusals import Check, line_of, told
from noria.core.routes import Route, route_checks
from noria.core.struct import Noun


class Secret:
    """A text that no log, error or ``repr`` shows; :meth:`reveal` is the one way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret(...)"

    def __bool__(self) -> bool:
        return bool(self._text)

    def reveal(self) -> str:
        """The text itself."""
        return self._text


Extension = Literal[
    "top_k", "cache_control", "reasoning_content", "reasoning_details", "thinking_blocks", "extra_content"
]


KINDS = (
    "anthropic",
    "bedrock",
    "cohere",
    "openai",
    "openai_responses",
    "azure",
    "google",
    "vertex",
    "litellm",
    "tei",
    "tgi",
)
"""What ``kind`` of a provider may be; what each speaks is chosen in :mod:`noria.assemble.providers.configured`."""


class Provider(Noun, forbid_unknown_fields=True):
    """A server that models are called on, as ``<its name>/<model>``."""

    base_url: str
    """Base URL, such as ``https://api.example.com/v1``."""
    kind: str = "openai"
    """What it speaks: one of :data:`KINDS`."""
    api_key_env: str = ""
    """Environment variable that holds the key; empty sends none. The key itself never stands in a file."""
    api_key_file: str = ""
    """File that holds the key instead; nobody but its owner may be able to read it."""
    headers: dict[str, str] = {}
    """Further headers of every request, such as ``HTTP-Referer``; never a key."""
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """How the server names the limit on generated tokens; OpenAI's newer models take ``max_completion_tokens``."""
    extensions: tuple[Extension, ...] = ("top_k", "reasoning_content")
    """What the server takes beside OpenAI's own fields: ``top_k``; ``cache_control`` on parts and tools; earlier thinking as
    ``reasoning_content``, ``reasoning_details`` or ``thinking_blocks``; seals on tool calls in ``extra_content``."""
    schemas: bool = True
    """For kind ``openai``: the server holds replies to JSON schemas; else they are asked for in words and checked here."""
    api_version: str = ""
    """For kind ``azure``: the version of the API, such as ``2024-10-21``; empty calls the versionless ``/openai/v1``."""
    responses: tuple[str, ...] = ()
    """For kinds ``openai`` and ``azure``: models that are called by OpenAI's Responses, ``*`` for any letters; all others are
    called by Chat Completions."""
    chat_template: str = ""
    """For kind ``tgi``: the model's chat template, in Jinja; empty: only a single user message can be sent."""
    stream: bool = True
    """Ask for streamed replies, so that time to first token is seen. Turn off for servers that cannot."""
    private: bool = False
    """The host of the base URL may be a name for an address that is not public, such as that of another container."""
    connect_timeout_s: float = 10.0
    """Seconds to reach the server."""
    first_token_timeout_s: float = 120.0
    """Seconds from the request to the first piece of the reply."""
    idle_timeout_s: float = 60.0
    """Seconds between pieces of the reply."""
    total_timeout_s: float = 600.0
    """Seconds for the whole call."""
    attempts: int = 3
    """Tries of a call that fails before its first token in a way that may pass."""
    retry_share: Annotated[float, msgspec.Meta(ge=0)] = 0.2
    """Further tries that there may be for each call, on average; a few are allowed without any traffic."""
    breaker_error_rate: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    """Part of a model's calls that must fail within the window for it to be left alone for a while; 0 never does."""
    breaker_calls: Annotated[int, msgspec.Meta(ge=1)] = 20
    """Calls that must have ended within the window before that part says anything."""
    breaker_window_s: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """The window, seconds."""
    breaker_open_s: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    """Seconds that a model is left alone the first time; twice as long each further time in a row, up to a minute."""
    max_calls: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Calls to the server at a time; 0 for any number."""
    max_waiting: Annotated[int, msgspec.Meta(ge=0)] = 100
    """Calls that may wait for one of those places, ten seconds at most; further ones are turned away at once."""


BUILT_IN_PROVIDERS: dict[str, Provider] = {
    "anthropic": Provider(kind="anthropic", base_url="https://api.anthropic.com/v1", api_key_env="ANTHROPIC_API_KEY"),
    "cerebras": Provider(base_url="https://api.cerebras.ai/v1", api_key_env="CEREBRAS_API_KEY"),
    "cohere": Provider(base_url="https://api.cohere.com/v2", kind="cohere", api_key_env="CO_API_KEY"),
    "deepinfra": Provider(base_url="https://api.deepinfra.com/v1/openai", api_key_env="DEEPINFRA_API_KEY"),
    "deepseek": Provider(base_url="https://api.deepseek.com/v1", api_key_env="DEEPSEEK_API_KEY", schemas=False),
    "fireworks": Provider(base_url="https://api.fireworks.ai/inference/v1", api_key_env="FIREWORKS_API_KEY"),
    "google": Provider(
        kind="google", base_url="https://generativelanguage.googleapis.com/v1beta", api_key_env="GEMINI_API_KEY"
    ),
    "groq": Provider(base_url="https://api.groq.com/openai/v1", api_key_env="GROQ_API_KEY", extensions=()),
    "huggingface": Provider(base_url="https://router.huggingface.co/v1", api_key_env="HF_TOKEN"),
    "mistral": Provider(base_url="https://api.mistral.ai/v1", api_key_env="MISTRAL_API_KEY", extensions=()),
    "nvidia": Provider(base_url="https://integrate.api.nvidia.com/v1", api_key_env="NVIDIA_API_KEY"),
    "openai": Provider(
        base_url="https://api.openai.com/v1",
        api_key_env="OPENAI_API_KEY",
        limit_field="max_completion_tokens",
        extensions=(),
    ),
    "openrouter": Provider(
        base_url="https://openrouter.ai/api/v1",
        api_key_env="OPENROUTER_API_KEY",
        extensions=("top_k", "cache_control", "reasoning_details"),
    ),
    "perplexity": Provider(base_url="https://api.perplexity.ai", api_key_env="PERPLEXITY_API_KEY"),
    "together": Provider(base_url="https://api.together.xyz/v1", api_key_env="TOGETHER_API_KEY"),
    "xai": Provider(base_url="https://api.x.ai/v1", api_key_env="XAI_API_KEY"),
}
"""Providers that need no entry in the file, only their key in the environment."""


class Settings(Noun, forbid_unknown_fields=True):
    """Noria's configuration."""

    data: str = ".noria"
    """Data folder: catalogue, traces, blobs, logs and the admin key."""
    host: str = "127.0.0.1"
    """Address that ``noria up`` and ``noria serve`` listen on."""
    port: int = 7700
    """Port that they listen on; 0 takes a free one."""
    allowed_hosts: tuple[str, ...] = ()
    """Further names under which the server may be called (``Host`` and ``Origin``); its own address always may."""
    catalogue: str = ""
    """Database URL of the catalogue, such as ``postgresql+psycopg://user@host/noria``; empty: SQLite in the folder."""
    traces: str = ""
    """URL of a ClickHouse server or cluster for traces (``docs/scale.md``); empty: DuckDB in the folder."""
    durability: Literal["fsync", "os"] = "fsync"
    """When a record counts as kept: ``fsync``, it survives a power cut; ``os``, it survives the end of the process only."""
    keep_free_mb: int = 256
    """Megabytes that records leave free on the data folder's disk; with less they are refused until there is room."""
    blobs: str = ""
    """URL of the blob store, such as ``s3://bucket/prefix``; empty: a folder in the data folder."""
    otlp_max_body_bytes: int = 64 * 1024 * 1024
    """Largest OTLP request, bytes after decompression."""
    otlp_grpc_port: int = 0
    """Port for OTLP over gRPC, usually 4317; 0 listens on none. Needs the extra ``noria[grpc]``."""
    large_content_bytes: int = 256 * 1024
    """Texts and other contents of at least this size leave their records from elsewhere for the blob store."""
    providers: dict[str, Provider] = {}
    """Servers that models are called on, by name."""
    caches: dict[str, CachePolicy] = {}
    """What may be answered from kept replies, by the app or model that is called; ``provider/*`` and ``*`` stand for many."""
    cache_mb: int = 256
    """Megabytes of kept replies; the oldest make room."""
    prices: dict[str, AgreedPrice | tuple[AgreedPrice, ...]] = {}
    """Prices by contract, by ``provider/model``, where ``*`` stands for any text; several where they change by day."""
    routes: dict[str, Route] = {}
    """Names that stand for several models (``docs/gateway.md``)."""
    aliases: dict[str, str] = {}
    """Names that stand for one model or route."""
    max_calls: Annotated[int, msgspec.Meta(ge=1)] = 2000
    """Calls that the gateway answers at a time."""
    max_waiting: Annotated[int, msgspec.Meta(ge=0)] = 200
    """Calls that may wait for one of those places, ten seconds at most; further ones are turned away at once, with 503."""
    max_late_ms: Annotated[int, msgspec.Meta(ge=0)] = 100
    """Milliseconds that a call may lie there before there is time for it; others are turned away while that stands; 0 for any."""
    guards: tuple[GuardRule, ...] = ()
    """Checks of calls while they are made, in the order in which they check."""
    url: str = ""
    """A running server that the command line talks to; empty: whoever holds the data folder, else the folder itself."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged: ``debug``, ``info``, ``warning`` or ``error``."""

    @property
    def folder(self) -> Path:
        """The data folder, absolute."""
        return Path(self.data).expanduser().absolute()

    def provider(self, name: str) -> Provider | None:
        """A configured or built-in provider."""
        return self.providers.get(name) or BUILT_IN_PROVIDERS.get(name)

    def route(self, name: str) -> Route | None:
        """A route; an alias is one with a single target."""
        target = self.aliases.get(name)
        return self.routes.get(name) if target is None else Route(targets=(target,))


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_KEY_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-goog-api-key"})
"""Headers that carry keys: those come from the environment alone."""
VARIABLES: dict[str, str] = {field: f"NORIA_{field.upper()}" for field in Settings.__struct_fields__}
"""Environment variable of each setting."""
OTHER_VARIABLES: dict[str, str] = {
    "NORIA_CONFIG": "where the configuration file is, instead of ./noria.toml",
    "NORIA_CLICKHOUSE_PASSWORD": "the password of ClickHouse, where the URL of the traces has none",
    "NORIA_SECRETS_KEY": "the master key of stored provider keys: 32 random bytes in base64",
    "NORIA_SECRETS_KEY_FILE": "a file that holds it, mode 0600, outside of the data folder",
    "NORIA_API_KEY": "the admin key; by default one is made on first start and kept in the data folder",
}
"""Variables that are no setting."""
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
    for place, check in chain(_checks(settings), also(settings)):
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


def _checks(settings: Settings) -> Iterator[Check]:
    """What no type says, each with where it stands."""
    for name, provider in settings.providers.items():
        yield ("providers", name), partial(_check_provider, name, provider)
        yield ("providers", name, "kind"), partial(_check_kind, name, provider)
    for name, agreed in settings.prices.items():
        for price in (agreed,) if isinstance(agreed, AgreedPrice) else agreed:
            yield ("prices", name), partial(_check_price, name, price)
    for name, policy in settings.caches.items():
        yield ("caches", name), partial(_check_cache, name, policy)
    yield from route_checks(
        settings.routes, settings.aliases, lambda name: name == "local" or settings.provider(name) is not None
    )


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


def _check_cache(name: str, policy: CachePolicy) -> None:
    if not policy.ttl_s > 0:
        raise InvalidInput(f"caches.{name}: ttl_s is a number of seconds, more than 0.")
    if policy.similar is not None:
        _check_calibrated(name, policy.similar)


def _check_calibrated(name: str, similar: Similar) -> None:
    if similar.calibration != calibration_id(similar.embedder, similar.threshold):
        raise InvalidInput(
            f"caches.{name}.similar: the calibration is not of {similar.embedder} at a threshold of {similar.threshold}.",
            kept="Questions in other words count as other questions until it is.",
            hint="Run `noria cache calibrate PAIRS.jsonl --embedder MODEL`, and copy what it prints.",
        )


def _dates_as_texts(value: Any) -> Any:
    """TOML has dates of its own, JSON has none, and the same settings come from both."""
    if isinstance(value, dict):
        return {key: _dates_as_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_dates_as_texts(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _check_price(name: str, price: AgreedPrice) -> None:
    if not name.partition("/")[2]:
        raise InvalidInput(f"prices: {name!r} names no model.", hint='Write [prices."provider/model"].')
    try:
        date.fromisoformat(price.since or "2000-01-01")
    except ValueError:
        raise InvalidInput(f'prices."{name}": from is a day, such as 2027-01-01, not {price.since!r}.') from None
    for field in price.__struct_fields__:
        value = getattr(price, field)
        if isinstance(value, float) and not 0 <= value < math.inf:
            raise InvalidInput(f'prices."{name}": {field} is an amount of US dollars, not {value}.')


def _check_kind(name: str, provider: Provider) -> None:
    if provider.kind not in KINDS:
        raise InvalidInput(f"Provider {name!r} is of kind {provider.kind!r}; the kinds are {', '.join(KINDS)}.")


def _check_provider(name: str, provider: Provider) -> None:
    if name == "local" or "/" in name or not name:
        raise InvalidInput(f"A provider can't be called {name!r}: `local` is Noria's own, and `/` divides names.")
    parts = urlsplit(provider.base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidInput(f"Provider {name!r}: {provider.base_url!r} is no http(s) base URL.")
    if parts.username or parts.password:
        raise InvalidInput(
            f"Provider {name!r}: a base URL must not carry a user or password.", hint="Name a variable in api_key_env."
        )
    for header, value in provider.headers.items():
        if header.lower() in _KEY_HEADERS:
            raise InvalidInput(
                f"Provider {name!r}: the header {header!r} carries a key, which must not stand in a file.",
                hint="Name a variable in api_key_env.",
            )
        if not (_HEADER_NAME.fullmatch(header) and value.isascii() and value.isprintable()):
            raise InvalidInput(f"Provider {name!r}: {header!r} with its value is no HTTP header.")
