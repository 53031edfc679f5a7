"""JSON values as ClickHouse reads them: the text of one value, as the encoder wrote it."""

from __future__ import annotations


def number_of_json(raw: str) -> str:
    """The number that the JSON value ``raw`` is (true is 1); null for texts, lists and objects."""
    return f"multiIf({raw} = 'true', 1., {raw} = 'false', 0., match({raw}, '^[-0-9]'), toFloat64OrNull({raw}), NULL)"


def text_of_json(raw: str) -> str:
    """The text that the JSON value ``raw`` is; null where it is none."""
    return f"if(startsWith({raw}, '\"'), JSONExtractString({raw}), NULL)"


def json_of_map(column: str) -> str:
    """A map of JSON values as the JSON of an object."""
    pairs = f"arrayMap((k, v) -> concat('\"', k, '\":', v), mapKeys({column}), mapValues({column}))"
    return f"concat('{{', arrayStringConcat({pairs}, ','), '}}')"
