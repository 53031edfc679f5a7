from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.serve.asgi import ASGIApp, Receive, Scope, Send
from noria.serve.routes import Router


def handler() -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None: ...

    return answer


PATHS = (
    "/v1/models",
    "/v1/models/{model}",
    "/v1/models/{model}:generateContent",
    "/v1/models/{model}:streamGenerateContent",
    "/v1/responses/{id}",
    "/v1/responses/{id}/cancel",
)
ROUTES = {path: {"GET": handler()} for path in PATHS}


def found(path: str) -> tuple[str, Mapping[str, str]] | None:
    answer = Router(ROUTES).find(path)
    if answer is None:
        return None
    [pattern] = [path for path, methods in ROUTES.items() if methods is answer.methods]
    return pattern, answer.params


@pytest.mark.parametrize(
    ("path", "pattern", "params"),
    [
        ("/v1/models", "/v1/models", {}),
        ("/v1/models/local/smol", "/v1/models/{model}", {"model": "local/smol"}),
        ("/v1/models/local/smol:generateContent", "/v1/models/{model}:generateContent", {"model": "local/smol"}),
        ("/v1/models/a:streamGenerateContent", "/v1/models/{model}:streamGenerateContent", {"model": "a"}),
        ("/v1/models/a:countTokens", "/v1/models/{model}", {"model": "a:countTokens"}),
        ("/v1/responses/resp_1", "/v1/responses/{id}", {"id": "resp_1"}),
        ("/v1/responses/resp_1/cancel", "/v1/responses/{id}/cancel", {"id": "resp_1"}),
    ],
)
def test_a_path_finds_the_pattern_that_fixes_most(path: str, pattern: str, params: dict[str, str]) -> None:
    assert found(path) == (pattern, params)


@pytest.mark.parametrize("path", ["/", "/v1/models/", "/v1/model", "/v1/responses", "/v2/models/a", ""])
def test_a_parameter_is_never_empty_and_other_paths_are_nothing(path: str) -> None:
    assert found(path) is None


@given(st.text(min_size=1))
def test_any_name_comes_out_as_it_went_in(name: str) -> None:
    assert found(f"/v1/models/{name}:generateContent") == ("/v1/models/{model}:generateContent", {"model": name})


def test_two_parameters_are_a_defect() -> None:
    with pytest.raises(ValueError, match="more than one"):
        Router({"/v1/{a}/{b}": {}})
