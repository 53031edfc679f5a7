import re
from pathlib import Path

import pytest

from noria.core.errors import InvalidInput
from noria.settings import VARIABLES, Provider, Secret, Settings, load_address, load_settings


def test_defaults(tmp_path: Path) -> None:
    assert load_settings({}, tmp_path) == Settings()


def test_flags_win_over_variables_and_these_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "noria.toml").write_text('port = 1\nhost = "a"\ndata = "here"\n')
    found = load_settings({"NORIA_PORT": "2", "NORIA_HOST": "b"}, tmp_path, {"host": "c", "data": None})
    assert (found.port, found.host, found.data) == (2, "c", "here")


def test_every_setting_has_a_variable(tmp_path: Path) -> None:
    given = {
        "NORIA_DATA": "d", "NORIA_HOST": "h", "NORIA_PORT": "9", "NORIA_ALLOWED_HOSTS": "a.example, b.example",
        "NORIA_CATALOGUE": "postgresql+psycopg://x", "NORIA_BLOBS": "memory://x", "NORIA_URL": "http://x",
        "NORIA_PROVIDERS": '{"mine": {"base_url": "http://127.0.0.1:1/v1"}}', "NORIA_LOG_LEVEL": "error",
        "NORIA_DURABILITY": "os", "NORIA_TRACES": "clickhouse://h", "NORIA_KEEP_FREE_MB": "5",
        "NORIA_OTLP_MAX_BODY_BYTES": "2048", "NORIA_OTLP_GRPC_PORT": "4317", "NORIA_LARGE_CONTENT_BYTES": "1024",
        "NORIA_CACHES": '{"*": {"ttl_s": 60}}', "NORIA_CACHE_MB": "1",
        "NORIA_PRICES": '{"mine/*": {"per_request": 1}}',
        "NORIA_ROUTES": '{"fast": {"targets": ["mine/a", "openai/b"]}}', "NORIA_ALIASES": '{"quick": "fast"}',
        "NORIA_MAX_CALLS": "10", "NORIA_MAX_WAITING": "5", "NORIA_MAX_LATE_MS": "0",
        "NORIA_GUARDS": '[{"kind": "length", "options": {"characters": 9}}]',
    }  # fmt: skip
    assert set(given) == set(VARIABLES.values())
    found = load_settings(given, tmp_path)
    assert found.allowed_hosts == ("a.example", "b.example")
    assert found.provider("mine") == Provider(base_url="http://127.0.0.1:1/v1")
    assert all(getattr(found, field) != getattr(Settings(), field) for field in VARIABLES)


@pytest.mark.parametrize(
    ("environ", "file", "sentence"),
    [
        ({"NORIA_PORT": "http"}, "", "NORIA_PORT is a port number, not 'http'"),
        ({"NORIA_PORT": "70000"}, "", "70000 is no port"),
        ({"NORIA_KEEP_FREE_MB": "-1"}, "", "NORIA_KEEP_FREE_MB is a number of megabytes, not '-1'"),
        ({}, "keep_free_mb = -1", "keep_free_mb is a number of megabytes, not -1"),
        ({"NORIA_DURABILITY": "maybe"}, "", "Invalid enum value 'maybe'"),
        ({"NORIA_OTLP_GRPC_PORT": "70000"}, "", "70000 is no port"),
        ({"NORIA_LARGE_CONTENT_BYTES": "1 MB"}, "", "NORIA_LARGE_CONTENT_BYTES is a number of bytes, not '1 MB'"),
        ({}, "large_content_bytes = 1", "must be at least 1024"),
        ({"NORIA_PROVIDERS": "{"}, "", "NORIA_PROVIDERS is not valid JSON"),
        ({"NORIA_URL": "127.0.0.1:7700"}, "", "'127.0.0.1:7700' is no server's URL"),
        ({}, "prot = 1", "unknown field `prot`"),
        ({}, "port = ", "noria.toml is not valid TOML"),
        ({"NORIA_CONFIG": "/nope.toml"}, "", "does not exist"),
        ({}, "[caches.x]\nttl_s = 0", "caches.x: ttl_s is a number of seconds"),
        ({}, "[caches.x]\nttl = 1", "unknown field `ttl`"),
        (
            {},
            '[caches.x.similar]\nembedder = "a/b"\nthreshold = 0.9\ncalibration = "c"',
            "is not of a/b at a threshold",
        ),
        ({}, '[providers.local]\nbase_url = "http://x"', "can't be called 'local'"),
        ({}, '[providers.x]\nbase_url = "ftp://x"', "no http"),
        ({}, '[providers.x]\nbase_url = "http://me:pw@x"', "must not carry a user"),
        ({}, '[providers.x]\nbase_url = "http://x"\nheaders = { X-Api-Key = "sk-1" }', "carries a key, which must not"),
        ({}, '[providers.x]\nbase_url = "http://x"\nheaders = { "a b" = "c" }', "'a b' with its value is no HTTP"),
        ({}, '[providers.x]\nbase_url = "http://x"\nheaders = { a = "b\\nc" }', "'a' with its value is no HTTP"),
        ({}, '[providers.x]\nbase_url = "http://x"\nbreaker_error_rate = 2', "<= 1.0"),
        ({}, "max_calls = 0", ">= 1"),
        ({}, "[routes.r]\ntargets = []", "length >= 1"),
        ({}, '[routes."a/b"]\ntargets = ["openai/m"]', "can't be called 'a/b'"),
        (
            {},
            '[routes.r]\ntargets = ["openia/m"]',
            "'openia/m' is neither a model of a known provider nor another route",
        ),
        ({}, '[routes.r]\ntargets = ["openai/m"]\nshadows = {"other" = 0.5}', "'other' is neither"),
        ({}, '[routes.r]\ntargets = ["openai/m"]\nshadows = {"openai/n" = 1.5}', "<= 1.0"),
        ({}, '[routes.r]\ntargets = ["s"]\n[routes.s]\ntargets = ["openai/m", "r"]', "'r' leads back to itself"),
        ({}, '[aliases]\na = "b"\nb = "a"', "leads back to itself"),
        ({}, '[aliases]\na = "openai/m"\n[routes.a]\ntargets = ["openai/n"]', "is a route and an alias"),
        ({}, '[routes.r]\ntargets = ["openai/m", "openai/m"]', "names a target twice"),
        ({}, '[routes.r]\ntargets = ["openai/m"]\nweights = [1]', "go with policy"),
        ({}, '[routes.r]\ntargets = ["openai/m"]\npolicy = "weighted"\nweights = [1, 2]', "1 targets and 2 weights"),
        ({}, '[routes.r]\ntargets = ["openai/m"]\npolicy = "weighted"\nweights = [0]', "above 0"),
        ({}, '[routes.r]\ntargets = ["openai/m"]\npolicy = "fastest"', "Invalid enum value 'fastest'"),
        ({}, '[providers.x]\napi_key = "sk-123"\nbase_url = "http://x"', "unknown field `api_key`"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, environ: dict[str, str], file: str, sentence: str) -> None:
    (tmp_path / "noria.toml").write_text(file)
    with pytest.raises(InvalidInput, match=sentence):
        load_settings(environ, tmp_path)


def test_where_in_the_file_it_is_wrong_is_said(tmp_path: Path) -> None:
    path = tmp_path / "noria.toml"
    path.write_text('port = 1\n[providers.a]\nbase_url = "http://a"\n[providers.b]\nbase_url = "ftp://b"\n')
    with pytest.raises(InvalidInput, match=r"noria\.toml, line 4: Provider 'b': 'ftp://b' is no http"):
        load_settings({}, tmp_path)
    path.write_text('port = 1\n[providers.b]\nbase_url = "http://b"\nattempts = "x"\n')
    with pytest.raises(InvalidInput, match=r"noria\.toml, line 4: providers\.b\.attempts: Expected `int`, got `str`"):
        load_settings({}, tmp_path)
    b = '[providers.b]\nbase_url = "http://b"\n'
    for written, sentence in (
        (b + 'kind = "telepathy"\n', "line 3: Provider 'b' is of kind 'telepathy'; the kinds are anthropic, "),
        (b + '[aliases]\nc = "b/m"\nd = "nobody/m"\n', "line 5: Route 'd': 'nobody/m' is neither"),
        (b + '[routes.r]\npolicy = "cost"\ntargets = ["b/m", "x"]\n', "line 5: Route 'r': 'x' is neither"),
        (b + '[routes."a/b"]\ntargets = ["b/m"]\n', "line 3: A route or alias can't be called 'a/b'"),
        ('[routes.r]\ntargets = ["s"]\n[routes.s]\ntargets = ["r"]\n', "line 2: Route 'r' leads back to itself"),
        (b + '[routes.r]\ntargets = ["b/m"]\nweights = [1]\n', "line 3: Route 'r': weights and sticky"),
    ):
        path.write_text(written)
        with pytest.raises(InvalidInput, match=rf"noria\.toml, {re.escape(sentence)}"):
            load_settings({}, tmp_path)
    path.write_text('[providers.b]\nbase_url = "http://b"\n')
    with pytest.raises(InvalidInput, match=r"^Provider 'b'"):
        load_settings({"NORIA_PROVIDERS": '{"b": {"base_url": "ftp://b"}}'}, tmp_path)


@pytest.mark.parametrize("rest", ["prot = 1", "[providers.x]\nbase_ur = 1", "port = ", "hosts = [\n1,\n]\n[a", ""])
def test_where_a_server_runs_is_known_whatever_else_is_wrong(tmp_path: Path, rest: str) -> None:
    (tmp_path / "noria.toml").write_text(f'data = "here"\nurl = "http://a"\n{rest}\n')
    found = load_address({}, tmp_path, {})
    assert (found.data, found.url) == ("here", "http://a")
    found = load_address({"NORIA_DATA": "there", "NORIA_URL": "http://b"}, tmp_path, {"url": "http://c", "data": None})
    assert (found.data, found.url) == ("there", "http://c")
    with pytest.raises(InvalidInput, match="no server's URL"):
        load_address({"NORIA_URL": "b"}, tmp_path, {})


def test_a_secret_shows_itself_to_no_one() -> None:
    secret = Secret("sk-canary")
    assert "canary" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "sk-canary"
    assert secret
    assert not Secret("")
