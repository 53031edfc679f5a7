"""Full text: the words of a span, by the rules of :mod:`noria.stores.traces.words`, as ClickHouse sees them.

An inverted index holds every word that *may* be in a span: those of its texts, and the names that JSON puts around them.
It chooses the rows; the texts themselves, taken out of their JSON, decide.
"""

from __future__ import annotations

from noria.stores.traces.clickhouse.literals import text
from noria.stores.traces.words import Phrase, pattern

_ESCAPES = r"\\\\(u[0-9a-f]{4}|.)"
"""What JSON puts for a character, so that no letter of it sticks to a word. Twice escaped: for SQL and for RE2."""


def _folded(value: str) -> str:
    """As ``words.fold`` does it: ``lowerUTF8`` makes two characters of one letter, and looks around another."""
    return f"lowerUTF8(replaceAll(replaceAll({value}, 'İ', 'i'), 'Σ', 'σ'))"


_JSON = f"replaceRegexpAll(concat(input, ' ', output, ' ', documents), '{_ESCAPES}', ' ')"
_PLAIN = "concat(name, ' ', coalesce(tool_name, ''), ' ', coalesce(error_message, ''), ' ')"
TOKENS = f"arrayDistinct(extractAll({_folded(f'concat({_PLAIN}, {_JSON})')}, '[0-9a-z]+|[^\\\\x00-\\\\x7f]'))"
"""The words that may be in a span; what the index is made of, so a question must spell it the same."""

_PARTS = (
    "arrayMap(p -> multiIf(JSONExtractString(p, 'type') = 'text', JSONExtractString(p, 'text'),"
    " JSONExtractString(p, 'type') = 'blob', JSONExtractString(p, 'preview'), ''), JSONExtractArrayRaw(m, 'content'))"
)
_CALLS = "JSONExtractArrayRaw(m, 'tool_calls')"
_SAID = (
    f"arrayConcat(if(JSONType(m, 'content') = 'String', [JSONExtractString(m, 'content')], {_PARTS}),"
    " [JSONExtractString(m, 'reasoning'), JSONExtractString(m, 'refusal')],"
    f" arrayMap(c -> JSONExtractString(c, 'name'), {_CALLS}),"
    f" arrayMap(c -> JSONExtractString(c, 'arguments'), {_CALLS}))"
)
_TEXTS = (
    "arrayConcat([name, coalesce(tool_name, ''), coalesce(error_message, '')],"
    f" arrayFlatten(arrayMap(m -> {_SAID}, arrayConcat(JSONExtractArrayRaw(input), JSONExtractArrayRaw(output)))),"
    " arrayMap(d -> JSONExtractString(d, 'text'), JSONExtractArrayRaw(documents)))"
)
_FOLDED = f"arrayMap(t -> {_folded('t')}, {_TEXTS})"


def finds(phrases: tuple[Phrase, ...]) -> list[str]:
    """Conditions that together say: all of these occur."""
    words = dict.fromkeys(word for phrase in phrases for word in phrase)
    made = [f"hasAllTokens({TOKENS}, [{', '.join(map(text, words))}])"]
    made += [f"arrayExists(t -> match(t, {text(pattern(phrase))}), {_FOLDED})" for phrase in phrases]
    return made
