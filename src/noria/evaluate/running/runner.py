"""Runs an experiment: every case, every repeat, every variant, each called once and recorded before it is judged.

The order of events for one answer is what makes a run safe to kill at any moment:

    call -> span durable -> judge -> scores durable

A kill before the span is durable loses a call in flight, which is called again. A kill after it loses at most the
judging, which is done again from the stored answer. Variants run one after another: two local engines at the same time
would fight for the same cores and spoil each other's timings.

Knows nothing about providers, caches or retries: it is handed one function for each run that calls and comes back with
the span.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from noria.core.apps import Variant
from noria.core.datasets import Case
from noria.core.errors import CallFailed, InvalidInput, NoriaError
from noria.core.experiments import Experiment, Run
from noria.core.protocols import Clock, TraceStore
from noria.core.requests import Lineage, Request
from noria.core.results import Progress
from noria.core.scores import Score, Scorer, Subject
from noria.core.spans import Span
from noria.evaluate.findings.judged import Judged
from noria.evaluate.running.asking import ask
from noria.evaluate.running.group_commit import GroupCommit
from noria.evaluate.running.pool import each
from noria.evaluate.running.resume import stored_scores, stored_spans
from noria.evaluate.running.tally import Tally

Ask = Callable[[Request], Awaitable[Span]]
"""Calls once (retried and cached as its maker likes) and returns the span *without* storing it: the runner does that.
A call that fails for good comes back as a span with status ``error``; an exception ends the whole run."""

GRACE_S = 10.0
"""How long calls in flight may take after a stop, seconds."""

GIVE_UP_AFTER = 20
"""Failed calls, without one answer to the run, after which the rest is not tried: a wrong key or address fails them all."""


async def run(
    experiment: Experiment,
    cases: Sequence[Case],
    *,
    calls: Mapping[str, Ask],
    scorers: Sequence[Scorer],
    store: TraceStore,
    now: Clock,
    concurrency: int = 4,
    progress: Callable[[Progress], None] = lambda _: None,
    stop: asyncio.Event | None = None,
    grace_s: float = GRACE_S,
) -> dict[str, list[Judged]]:
    """Run what is not yet done of an experiment.

    Arguments:
        cases: the cases to try, with unique ids.
        calls: how to call, by run id.
        scorers: the judges, in the order of the experiment.
        concurrency: most cases at the same time, from the call to its last score.
        progress: told after every answer.
        stop: once set, no call is begun; calls in flight have ``grace_s`` seconds, then they are cancelled.

    Returns:
        By run id, in the order of ``cases`` and repeats: what was judged, resumed answers included. Spans come without
        messages, which are in the store. After a stop, answers are missing.

    Raises:
        StorageFull: nothing more can be made durable. What was durable before is kept, as with every exception.
        CallFailed: the first :data:`GIVE_UP_AFTER` calls of a run all failed.
    """
    stop = stop or asyncio.Event()
    commit = GroupCommit(store)
    tally = Tally(progress, now, total=len(cases) * experiment.spec.repeats * len(experiment.runs))
    results: dict[str, list[Judged]] = {}
    try:
        for part, variant in zip(experiment.runs, experiment.spec.variants, strict=True):
            one = _OneRun(
                experiment=experiment,
                run=part,
                variant=variant.variant,
                cases=cases,
                call=calls[part.id],
                scorers=scorers,
                commit=commit,
                now=now,
                tally=tally,
            )
            tally.begin(part.variant_name)
            try:
                await one.resume(store, workers=concurrency, stop=stop, grace_s=grace_s)
                await each(one.open(), one.answer, workers=concurrency, stop=stop, grace_s=grace_s)
            finally:
                await one.settle()
            results[part.id] = one.judged()
    finally:
        await commit.drain()
    return results


@dataclass(kw_only=True)
class _OneRun:
    """One variant's part of an experiment, while it runs."""

    experiment: Experiment
    run: Run
    variant: Variant
    cases: Sequence[Case]
    call: Ask
    scorers: Sequence[Scorer]
    commit: GroupCommit
    now: Clock
    tally: Tally
    done: dict[tuple[str, int], Judged] = field(default_factory=dict)
    """By case and repeat."""
    keeping: set[asyncio.Task[None]] = field(default_factory=set)
    """Scores on their way to the store, and those that did not get there."""
    answered: int = 0
    """Calls with an answer, resumed ones counted."""
    failed: int = 0
    """Calls of this start that failed."""

    def open(self) -> Iterator[tuple[Case, int]]:
        """What has no answer yet."""
        for case in self.cases:
            for repeat in range(self.experiment.spec.repeats):
                if (case.id, repeat) not in self.done:
                    yield case, repeat

    def judged(self) -> list[Judged]:
        """What has an answer, or a failed call, in order."""
        keys = ((case.id, repeat) for case in self.cases for repeat in range(self.experiment.spec.repeats))
        return [self.done[key] for key in keys if key in self.done]

    async def resume(self, store: TraceStore, *, workers: int, stop: asyncio.Event, grace_s: float) -> None:
        """Take over the answers of an earlier start; judge those whose scores are missing or of an older version."""
        versions = {scorer.name: scorer.version for scorer in self.scorers}
        known = await stored_scores(store, self.run.id, versions)
        cases = {case.id: case for case in self.cases}

        async def take(span: Span) -> None:
            case, repeat = cases[span.lineage.case_id or ""], span.lineage.repeat or 0
            await self._judge(case, repeat, span, known.get(span.span_id, {}))
            self.tally.resumed(span)

        seen: set[tuple[str, int]] = set()
        async for page in stored_spans(store, self.run.id):
            fresh = []
            for span in page:
                key = (span.lineage.case_id or "", span.lineage.repeat or 0)
                if key not in seen and key[0] in cases and key[1] < self.experiment.spec.repeats:
                    seen.add(key)
                    fresh.append(span)
            await each(fresh, take, workers=workers, stop=stop, grace_s=grace_s)

    async def settle(self) -> None:
        """Wait until all scores are durable; raise what the store raised."""
        await asyncio.gather(*self.keeping)

    async def answer(self, item: tuple[Case, int]) -> None:
        """Call, record, judge."""
        case, repeat = item
        span = await self.call(self._request(case, repeat))
        try:
            await self.commit.keep(spans=[span])
        except InvalidInput as error:  # half a character in the reply, say: a failed call, and the only one
            span = _unfit(span, error)
            await self.commit.keep(spans=[span])
        await self._judge(case, repeat, span, {})
        self.tally.answered(span)
        self.failed += span.status != "ok"
        if not self.answered and self.failed >= GIVE_UP_AFTER:
            raise CallFailed(
                f'The first {self.failed} calls of the variant "{self.run.variant_name}" all failed, the last with: '
                f"{span.error_message or span.error_type}",
                kept="They are recorded, and no more were made.",
                hint="Put right what is wrong and start it again.",
            )

    def _request(self, case: Case, repeat: int) -> Request:
        lineage = Lineage(
            app=self.experiment.app,
            variant_id=self.run.variant_id,
            prompt_id=self.variant.prompt_id,
            model_id=self.variant.model_id,
            experiment_id=self.experiment.id,
            run_id=self.run.id,
            case_id=case.id,
            repeat=repeat,
        )
        return ask(case, self.variant, lineage)

    async def _judge(self, case: Case, repeat: int, span: Span, known: Mapping[str, Score]) -> None:
        """Score what has no score yet, note the whole, and hand the new scores to the store."""
        scores: dict[str, Score | str | None] = dict(known)
        new: list[Score] = []
        if span.status == "ok":
            self.answered += 1
            subject = Subject(
                output=span.output_text,
                input=case.input,
                reference=case.reference,
                context=case.context,
                span=span,
                case=case,
            )
            for scorer in self.scorers:
                if scorer.name not in scores:
                    score = self._signed(await _score(scorer, subject), case, repeat, span)
                    scores[scorer.name] = score
                    new += [score] if isinstance(score, Score) else []
        self.done[case.id, repeat] = Judged(
            case=case,
            repeat=repeat,
            # The messages are in the store; a million of them in memory would be gigabytes.
            span=msgspec.structs.replace(span, input=(), output=(), variables={}),
            scores={scorer.name: scores[scorer.name] for scorer in self.scorers if scorer.name in scores},
        )
        if new:
            task = asyncio.create_task(self._keep(new, (case.id, repeat)))
            self.keeping.add(task)
            task.add_done_callback(self._kept)

    async def _keep(self, new: Sequence[Score], key: tuple[str, int]) -> None:
        """Make scores durable. One that can't be (its value is not finite, say) is its scorer's failure.

        Nobody waits for it but :meth:`settle`: what a kill could lose here is judged again. The worker's next span
        queues behind these scores, so they do not pile up.
        """
        try:
            await self.commit.keep(scores=new)
        except InvalidInput as error:
            if len(new) > 1:
                for score in new:
                    await self._keep([score], key)
                return
            judged = self.done[key]
            self.done[key] = msgspec.structs.replace(judged, scores=judged.scores | {new[0].scorer: str(error)})

    def _kept(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is None:
            self.keeping.discard(task)

    def _signed(self, score: Score | str | None, case: Case, repeat: int, span: Span) -> Score | str | None:
        """The score with the place it belongs to."""
        if not isinstance(score, Score):
            return score
        place: dict[str, Any] = {
            "trace_id": span.trace_id,
            "span_id": span.span_id,
            "time_ns": self.now(),
            "experiment_id": self.experiment.id,
            "run_id": self.run.id,
            "case_id": case.id,
            "repeat": repeat,
        }
        return msgspec.structs.replace(score, **place)


async def _score(scorer: Scorer, subject: Subject) -> Score | str | None:
    """The scorer's judgement, None where it abstains, or the sentence with which it failed."""
    try:
        return await scorer.score(subject)
    except NoriaError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a scorer may be a stranger's plug-in; its fault is a finding, not our end
        return f"{type(error).__name__}: {error}"


def _unfit(span: Span, error: InvalidInput) -> Span:
    """A call whose record can't be kept as it is, as a failed one without its content."""
    nothing: dict[str, Any] = {"input": (), "output": (), "variables": {}, "params": {}, "attributes": {}}
    return msgspec.structs.replace(
        span, status="error", error_type=error.code, error_message=f"The reply can't be kept: {error}", **nothing
    )
