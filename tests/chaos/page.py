"""docs/chaos.md, from what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .callers import Outcome
from .faults import FAULTS
from .spoken import ALIKE, SPOKEN, UNTRIED

PAGE = Path(__file__).parents[2] / "docs" / "chaos.md"
Seen = Mapping[tuple[str, str, str, bool], tuple[Outcome, str | None]]

_HEAD = """# When a provider fails

What callers saw when a provider did what it must not do. The tests make this page: an upstream on a real socket plays each
fault as each kind of provider, and the official clients of OpenAI (Chat Completions and Responses), Anthropic and Google
call it through a running server: each cell by one or two of them, each fault by all, a provider that speaks a client's own
dialect by that client too.
All saw the same, and every call is on record with what came.

- **whole**: the reply came whole, and ended as one;
- a status: the call failed before its first piece, so it is an error response, and may be tried again or fall over to
  another provider unseen;
- **then an error**: what had come before was passed on, and then the stream ended with the wire's error event, which every
  client raises. Nothing ever ended as if it were whole;
- the word behind it is the error's name on the record (`error.type`) and, for OpenAI's callers, its `code`.

Nobody can tell a piece that comes twice from one that the model said twice. Where a stream *begins* again, a dialect that
marks its beginning or counts its pieces shows it (Responses, Anthropic's, Cohere's, TGI's). Chat Completions shows it where
a server names the role in its first chunk alone, as OpenAI does, and Google's where the count of tokens had grown by then, or
the id of the response changes; a first piece that comes twice, of a server that names the role in all or counts nothing, looks
like words said twice. Another beginning in other words can't be told from a model that goes on for another, as proxies have it.
Google's dialect has no end mark, so its streams end when the body does; what comes after a finish reason is a failure, as it
is in Chat Completions before the end mark.

"""
_CHAINED = """## With another try, or another model behind it

The same faults of a provider that has them once and is called again (`attempts`), and of the first model of a
[route](gateway.md#routes), whose second is well: each cell is one call, the kinds of providers and the clients in turn. As
long as nothing was said, the caller sees nothing of the fault; what was tried is on the record (`noria.attempts`). What
speaks no HTTP is not asked again, since it would be the same, but another model is. A dash: not tried, since it can't
happen, or the provider asks for seconds of patience.

"""
_WAYS = (("again", True), ("over", True), ("again", False), ("over", False))
_COLUMNS = (
    "a stream, called again",
    "a stream, another model",
    "in one piece, called again",
    "in one piece, another model",
)


def page(seen: Seen, chained: Mapping[tuple[str, str, bool], str]) -> str:
    """The whole page."""
    alike = "; ".join(f"`{kind}` speaks like `{other}`" for kind, other in ALIKE.items())
    untried = "; ".join(f"`{kind}` was not tried: {why}" for kind, why in UNTRIED.items())
    return (
        f"{_HEAD}Kinds of provider: {alike}; {untried}.\n\n## Streams\n\n{_table(seen, streamed=True)}\n"
        f"## Replies in one piece\n\n{_table(seen, streamed=False)}\n{_CHAINED}{_chains(chained)}"
    )


def _chains(chained: Mapping[tuple[str, str, bool], str]) -> str:
    rows = [f"| the first provider | {' | '.join(_COLUMNS)} |", "|---" * (len(_COLUMNS) + 1) + "|"]
    for name, fault in FAULTS.items():
        cells = [chained.get((name, how, streamed), "–") for how, streamed in _WAYS]
        rows.append(f"| {fault.title} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _table(seen: Seen, *, streamed: bool) -> str:
    kinds = list(SPOKEN)
    rows = [f"| the provider | {' | '.join(f'`{kind}`' for kind in kinds)} |", "|---" * (len(kinds) + 1) + "|"]
    for name, fault in FAULTS.items():
        if fault.streamed if streamed else fault.unstreamed:
            by_kind = {key[1]: it for key, it in seen.items() if (key[0], key[3]) == (name, streamed)}
            cells = [_cell(*by_kind[kind], SPOKEN[kind]().text(streamed=streamed)) for kind in kinds]
            rows.append(f"| {fault.title} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _cell(outcome: Outcome, error_type: str | None, full: str) -> str:
    if not outcome.raised:
        return "whole" if outcome.text == full else "whole, and what came beside"
    if outcome.text or outcome.status == 200:
        return f"then an error, `{error_type}`"
    return f"{outcome.status} `{error_type}`"
