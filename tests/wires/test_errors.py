"""Errors on the OpenAI Chat wire."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import (
    CallFailed,
    CallRefused,
    CallTimeout,
    InvalidInput,
    NoriaError,
    NotAllowed,
    Unavailable,
    UnknownName,
)
from noria.wires.openai_chat import decode_error, encode_error


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (InvalidInput("`n` is wrong."), "invalid_request_error", "invalid_input"),
        (NotAllowed("No key."), "authentication_error", "not_allowed"),
        (NotAllowed("Foreign origin.", status=403), "permission_error", "not_allowed"),
        (UnknownName("No such model."), "not_found_error", "unknown_name"),
        (CallRefused("Slow down.", status=429), "rate_limit_error", "call_refused"),
        (CallRefused("Odd.", status=422), "invalid_request_error", "call_refused"),
        (CallTimeout("Too slow."), "server_error", "call_timeout"),
        (Unavailable("Not now.", hint="Try again."), "server_error", "unavailable"),
    ],
)
def test_errors_are_written_in_openai_shape(error: NoriaError, kind: str, code: str) -> None:
    assert json.loads(encode_error(error)) == {
        "error": {"message": str(error), "type": kind, "param": None, "code": code}
    }


@pytest.mark.parametrize(
    ("status", "body", "kind", "mapped", "retryable", "sentence"),
    [
        (400, b'{"error":{"message":"bad temperature"}}', CallRefused, 400, False, "bad temperature"),
        (401, b'{"error":"who are you"}', CallRefused, 401, False, "who are you"),
        (404, b'{"detail":"Not Found"}', CallRefused, 404, False, "Not Found"),
        (422, b'{"detail":[{"loc":["body"],"msg":"field required"}]}', CallRefused, 422, False, "field required"),
        (408, b"", CallRefused, 408, True, "Request Timeout"),
        (429, b'{"message":"slow down"}', CallRefused, 429, True, "slow down"),
        (429, b'{"error":{"message":"pay first","code":"insufficient_quota"}}', CallRefused, 429, False, "pay first"),
        (500, b"<html><body>oops</body></html>", CallFailed, 502, True, "Internal Server Error"),
        (503, b"over\n loaded", CallFailed, 502, True, "over loaded"),
        (529, b"\xff\xfe", CallFailed, 502, True, "\ufffd"),
        (599, b"", CallFailed, 502, True, "no reason given"),
        (302, b"", CallFailed, 502, False, "redirects are not followed"),
    ],
)
def test_statuses_become_errors(
    status: int, body: bytes, kind: type, mapped: int, retryable: bool, sentence: str
) -> None:
    error = decode_error(status, {}, body)
    assert (type(error), error.status, error.retryable) == (kind, mapped, retryable)
    assert sentence in str(error)


def test_long_sentences_are_cut() -> None:
    assert len(str(decode_error(500, {}, b"x" * 100_000))) < 600


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Fri, 31 Dec 99999999999 23:59:59 GMT"}, None),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 -0000", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT"}, 0.0),
    ],
)
def test_retry_after_is_kept(headers: dict[str, str], seconds: float | None) -> None:
    assert decode_error(429, headers, b"").retry_after_s == seconds
    assert decode_error(503, headers, b"").retry_after_s == seconds


@given(
    st.integers(300, 599), st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text(max_size=20)), st.binary()
)
def test_nothing_a_provider_sends_breaks_the_error(status: int, headers: dict[str, str], body: bytes) -> None:
    assert str(decode_error(status, headers, body))
