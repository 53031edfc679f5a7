"""Paths where nothing is, of clients that were told a wrong base URL: what they meant, and what is to be changed.

Each client adds a part of the path by itself: OpenAI's ``/chat/completions``, Anthropic's ``/v1/messages``, Google's
``/v1beta/models/...``, Cohere's ``/v2/rerank``. So a base URL that is right for one is wrong for the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from noria.core.errors import UnknownName

_VERSIONS = ("/v1", "/v1beta", "/v2")
_ENDS = frozenset({"/chat/completions", "/responses", "/embeddings", "/messages", "/messages/count_tokens", "/rerank"})
"""Ends of the paths that are called, behind a version of an API."""
CUT_SHORT = _ENDS | {"/models"}
"""What clients ask for whose base URL lacks a version."""
_DEEPEST = 8
"""Pieces of a path that are looked at."""
_DOUBLED = ("v1/models/", "v1beta/models/", "v1beta1/models/")
_ELSEWHERE = {
    "/chat": "Cohere's chat is spoken to providers and not to callers. Call the model through /v1/chat/completions, or any other wire.",
    "/embed": "Vectors come from /v1/embeddings.",
    "/completions": "Completions of plain texts are not served. Call the model through /v1/chat/completions.",
}
"""What clients know and Noria does not have, and what to do instead."""


def meant(path: str, is_there: Callable[[str], bool]) -> str | None:
    """The path that a client would have called with the right base URL; None where nobody can tell."""
    path = _joined(path)
    starts = [at for at, letter in enumerate(path) if letter == "/"]
    for at in starts[1:_DEEPEST]:
        if path.startswith(_VERSIONS, at) and is_there(path[at:]):
            return path[at:]
    if is_there(path):
        return path
    if path in CUT_SHORT:
        return f"/v1{path}"
    ended = next((path.removesuffix(end) for end in _ENDS if path.endswith(end)), "")
    return ended if ended and is_there(ended) else None


def doubled(params: Mapping[str, str]) -> bool:
    """Whether a route's parameter, which may have slashes, took in a version and what follows it."""
    return params.get("model", "").startswith(_DOUBLED)


def nothing_at(path: str, is_there: Callable[[str], bool]) -> UnknownName:
    """The refusal of a path where nothing is."""
    return UnknownName(f"There is nothing at {path[:80]!r}.", hint=_hint(path, meant(path, is_there)))


def _hint(path: str, right: str | None) -> str:
    if right is None:
        return next(
            (said for end, said in _ELSEWHERE.items() if path in {f"{version}{end}" for version in _VERSIONS}), ""
        )
    joined = _joined(path)
    if joined == right:
        return f"Is there a `/` too much at the end of your base URL? The path is {right[:80]}."
    if joined.endswith(right):
        return f"Your client adds {right[:80]} by itself: leave {joined.removesuffix(right)[:40]} out of the base URL."
    if right.endswith(joined):
        return f"Your base URL lacks `{right.removesuffix(joined)}`: the path is {right[:80]}."
    return f"Your client adds {joined.removeprefix(right)[:40]} by itself: end the base URL with `/v1`."


def _joined(path: str) -> str:
    while "//" in path:
        path = path.replace("//", "/")
    return path
