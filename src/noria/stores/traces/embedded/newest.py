"""Answers that need not look at everything.

Rows in the default order, newest first, and not too many of them: blocks are looked at by their latest start, some at a
time, for the rows' numbers alone; as soon as no block that is left can hold a newer row, the rows that are wanted are
fetched by their numbers. A search looks only at blocks that have all its words, a trace's spans are found by its id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from noria.stores.traces.compile import PLACE, Sql, compile_every, compile_matches, compile_rows
from noria.stores.traces.embedded import rollups
from noria.stores.traces.embedded.blocks import BLOCK, Times, hashes, holding
from noria.stores.traces.embedded.holdings import Holdings
from noria.stores.traces.embedded.reading import Moment, Range, ranges_of, ranges_of_numbers
from noria.stores.traces.embedded.tables import TRACE_HASH
from noria.stores.traces.plan import Plan

Array = np.ndarray[Any, Any]
Row = tuple[Any, ...]
_PLACED = (*PLACE["spans"], "seq")
_MOST = 2_000
"""Rows that are fetched by their numbers; more are read in one go."""
_AT_ONCE = 32
"""Ranges of one statement that fetches rows."""
_STEPS = (8, 4096)
"""Blocks looked at in the first step, each step twice as many, and in the last."""
_JUDGED = (16, 4096)
"""The same where scores decide: fewer spans match, and a step is three statements of 10 ms each whatever it reads."""
_OFTEN, _RARE = (1, 16), (32, 32)
"""The same for a search whose words are in most blocks, one of which may have all that is wanted; and in few."""
_LOOKED_UP = 64
"""Of so many blocks the scores are looked up by trace; of more, all scores are read."""


def answer(moment: Moment, holdings: Holdings, plan: Plan, sql: Sql, names: tuple[str, ...] | None = None) -> list[Row]:
    """The rows of ``sql``, which is ``plan`` compiled (its ``names``, if it is for whole records)."""
    if plan.question.source != "spans":
        return moment.ask(sql, traces=_traces(plan))
    if rollups.covers(plan):
        return rollups.answer(moment, holdings, plan)
    limit = plan.question.limit
    if (
        plan.grouped
        or plan.order
        or limit is None
        or plan.question.offset + limit >= _MOST
        or _of_trace(holdings, plan) is not None
    ):
        return moment.ask(sql, scope(moment, holdings, plan))
    wanted = limit + 1 if plan.pages and names is None else limit
    if not limit:
        return []
    found = _newest(moment, holdings.times, plan, plan.question.offset + wanted, names)[plan.question.offset :]
    if plan.text:
        return [row[len(_PLACED) :] for row in found]
    return _fetch(moment, plan, [row[-1] for row in found], names)


def scope(moment: Moment, holdings: Holdings, plan: Plan) -> list[Range] | None:
    """Where the spans that match must be; None when they may be anywhere."""
    numbers = _of_trace(holdings, plan)
    if numbers is not None:
        few = len(numbers) <= _MOST
        return ranges_of_numbers(numbers, BLOCK, few=True) if few else ranges_of(numbers // BLOCK, BLOCK)
    blocks, _ = _blocks_of_text(moment, plan)
    if blocks is None or 2 * len(blocks) * BLOCK > moment.end:
        return None
    return ranges_of(blocks, BLOCK)


def _newest(moment: Moment, times: Times, plan: Plan, count: int, names: tuple[str, ...] | None) -> list[Row]:
    """Places and numbers of the newest ``count`` rows that match.

    For a search the rows follow: few are found in a block, and their texts have been unpacked to look at them.
    """
    question = plan.question
    until = question.until_ns
    if plan.after is not None:
        until = min(plan.after.place.time_ns + 1, 2**63 - 1 if until is None else until)
    blocks, latest = times.newest_first(question.since_ns, until)
    candidates, only = _blocks_of_text(moment, plan)
    if candidates is not None:
        keep = np.isin(blocks, candidates)
        blocks, latest = blocks[keep], latest[keep]
    bare = plan._replace(question=msgspec.structs.replace(question, limit=count, offset=0))
    if candidates is None:
        sql, (step, largest) = compile_rows(bare, _PLACED), _JUDGED if plan.scored else _STEPS
    else:
        often = 2 * len(candidates) * BLOCK > moment.end
        sql, (step, largest) = compile_rows(bare, names, first=_PLACED), _OFTEN if often else _RARE
    judged = _judged_spans(plan)
    found: list[Row] = []
    at = 0
    while at < len(blocks) and (len(found) < count or latest[at] >= found[count - 1][0]):
        ranges, traces = _ranges(blocks[at : at + step], only), None
        if judged is not None and step <= _LOOKED_UP:
            traces = np.array([key for (key,) in moment.ask(judged, ranges)], np.uint64)
        found += moment.ask(sql, ranges, traces)
        found.sort(reverse=True)
        del found[count:]
        at += step
        step = min(2 * step, largest)
    return found


def _fetch(moment: Moment, plan: Plan, numbers: Sequence[int], names: tuple[str, ...] | None) -> list[Row]:
    """The rows with these numbers, in order."""
    sql = compile_every(plan, names)
    found: dict[int, Row] = {}
    ranges = ranges_of_numbers(numbers, BLOCK)
    for at in range(0, len(ranges), _AT_ONCE):
        found.update((row[0], row[1:]) for row in moment.ask(sql, ranges[at : at + _AT_ONCE]))
    return [found[number] for number in numbers]


def _judged_spans(plan: Plan) -> Sql | None:
    """The statement for the traces whose scores decide; None where none do."""
    if not plan.scored:
        return None
    return compile_matches(plan._replace(scored=(), text=(), after=None), f"SELECT DISTINCT {TRACE_HASH}")


def _of_trace(holdings: Holdings, plan: Plan) -> Array | None:
    """Numbers of the spans of the traces that are asked for; None when none are."""
    traces = _traces(plan)
    return None if traces is None else np.unique(holdings.of_traces(traces))


def _traces(plan: Plan) -> Array | None:
    """Hashes of the traces that are asked for; None when none are."""
    for item in plan.where:
        if item.column.name == "trace_id" and item.op in ("=", "in") and not item.null:
            return np.array([_key(value) for value in item.values], np.uint64)
    return None


def _key(trace_id: str) -> int:
    """As DuckDB's ``md5_number_lower``."""
    return int.from_bytes(hashlib.md5(trace_id.encode(), usedforsecurity=False).digest()[8:], "little")


def _blocks_of_text(moment: Moment, plan: Plan) -> tuple[Array | None, dict[int, list[int]]]:
    """Blocks that may hold all the words of a search, None when there is no search; and of some, the only numbers."""
    if not plan.text:
        return None, {}
    wanted = np.unique(np.concatenate([hashes(word.encode())[0] for phrase in plan.text for word in phrase]))
    whole: set[int] = set()
    only: dict[int, list[int]] = {}
    at = 0
    for words in moment.words:
        if at < words.first:  # not indexed yet
            whole.update(range(at // BLOCK, (words.first - 1) // BLOCK + 1))
        for block, number in holding(words, wanted):
            if number is None:
                whole.add(block)
            else:
                only.setdefault(block, []).append(number)
        at = words.end
    whole.update(range(at // BLOCK, moment.end // BLOCK + 1))
    for block in whole:
        only.pop(block, None)
    return np.array(sorted(whole | only.keys()), np.int64), only


def _ranges(blocks: Array, only: dict[int, list[int]]) -> list[Range]:
    """Blocks as ranges, or just the numbers in them that can match."""
    whole = [block for block in blocks.tolist() if block not in only]
    single = [Range(number, number + 1) for block in blocks.tolist() for number in only.get(block, ())]
    return [*ranges_of(whole, BLOCK), *single]
