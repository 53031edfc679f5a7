"""What a page is shown in the browser tests: experiments, calls and scores, some of them hostile."""

from __future__ import annotations

from typing import Any

import msgspec

from noria.core.apps import Variant
from noria.core.caching import CachePolicy, Similar, calibration_id
from noria.core.experiments import Experiment, ExperimentSpec, ExperimentVariant, Run
from noria.core.guards import GuardRule
from noria.core.messages import Message
from noria.core.requests import Lineage
from noria.core.results import Results
from noria.core.routes import Route
from noria.core.scores import Score, ScorerSpec
from noria.core.spans import Span
from noria.settings import Provider

from .conftest import Noria

__all__ = ["GATEWAY", "HOSTILE", "agent_steps", "cut_call", "fill", "fill_gateway"]

HOSTILE = '<img src=x onerror="document.title=\'pwned\'"><script>document.title="pwned"</script><b>bold</b>&amp;'
_NOW = 1_795_400_000_000_000_000


def _estimate(value: float) -> dict[str, object]:
    interval = {"value": value, "lower": value - 0.07, "upper": value + 0.06, "standard_error": 0.033}
    return {**interval, "n": 200, "clusters": 200, "method": "wilson"}


def _experiment(number: int, names: list[str], *, status: str = "finished", name: str = "boolq-prompts") -> Experiment:
    spec = ExperimentSpec(
        name=name,
        dataset_id="dataset_1",
        variants=tuple(ExperimentVariant(name=n, variant=Variant(model=f"up/{i}")) for i, n in enumerate(names)),
        scorers=(ScorerSpec(kind="exact", name="accuracy"),),
        baseline=names[0],
    )
    runs = tuple(
        Run(id=f"run{number}{i}", variant_name=e.name, variant_id=e.variant.id) for i, e in enumerate(spec.variants)
    )
    percentiles = {"p50": 0.141, "p90": 0.2, "p95": 0.25, "p99": 0.3}
    summaries = [
        {
            "run_id": run.id,
            "variant": run.variant_name,
            "variant_id": run.variant_id,
            "cases": 200,
            "calls": 200,
            "errors": i,
            "cached": 0,
            "measures": [
                {"metric": "accuracy", "better": "higher", "estimate": _estimate(0.52 + 0.08 * i)},
                {"metric": "rouge.f1", "better": "higher", "estimate": _estimate(0.3 + 0.02 * i)},
            ],
            "ttft_s": percentiles,
            "tpot_s": {k: v / 14 for k, v in percentiles.items()},
            "latency_s": percentiles,
            "cost_usd": 0.0123 * (i + 1),
            "peak_memory_bytes": 260 << 20,
        }
        for i, run in enumerate(runs)
    ]
    comparisons = [
        {
            "metric": "accuracy",
            "baseline": names[0],
            "candidate": other,
            "difference": _estimate(0.08),
            "p_value": 0.012,
            "p_adjusted": 0.024,
            "detectable": 0.09,
            "more_cases": None,
            "verdict": "better",
            "sentence": f"{other} is better than {names[0]} in accuracy: +0.080 [0.010, 0.140], p = 0.024 after Holm.",
        }
        for other in names[1:]
    ]
    gates = [
        {"gate": "accuracy.lower > 0.5", "passed": True, "sentence": "0.53 is above 0.5."},
        {"gate": "cost_usd < 0.01", "passed": False, "sentence": "0.0246 is not below 0.01."},
    ]
    results = {"runs": summaries, "comparisons": comparisons, "gates": gates, "wall_s": 33.0}
    done = status == "finished"
    return Experiment(
        id=f"{number:032x}"[::-1],
        spec=spec,
        runs=runs,
        status=status,  # type: ignore[arg-type]
        created_ns=_NOW - number * 3_600_000_000_000,
        created_by="ada",
        error="" if status != "failed" else f"The provider refused the call (status 401): {HOSTILE}",
        results=msgspec.convert(results, Results) if done else None,
    )


async def fill(noria: Noria) -> None:
    """Put everything on record."""
    hostile = f"{HOSTILE} and a very long name of a variant that goes on and on"
    for experiment in (
        _experiment(1, ["zero-shot", "few-shot", "few-shot-with-reasons"]),
        _experiment(2, [hostile, "b"], name=HOSTILE),
        _experiment(3, ["a", "b"], status="failed", name="summaries-of-long-documents-" + "x" * 60),
        _experiment(4, ["a", "b"], status="running", name="support-answers"),
    ):
        noria.workspace.catalogue.experiments.save(experiment)
    await noria.post("/api/apps", {"name": "boolq", "description": HOSTILE})
    for name in ("zero-shot", "few-shot"):
        await noria.put(f"/api/apps/boolq/variants/{name}", {"model": f"up/{name}"})
    reason = {"shares": [{"variant": "few-shot", "weight": 3}, {"variant": "zero-shot"}], "reason": HOSTILE}
    await noria.post("/api/apps/boolq/releases", reason)
    await noria.post("/api/apps", {"name": "support-answers"})
    spans, scores = [], []
    for i in range(24):
        failed = i % 7 == 3
        span = Span(
            trace_id=f"{i:032x}"[::-1],
            span_id=f"{i + 1:016x}",
            name="chat up/m",
            start_ns=_NOW + i * 61_000_000_000,
            end_ns=_NOW + i * 61_000_000_000 + 840_000_000 * (i + 1),
            status="error" if failed else "ok",
            error_type="call_timeout" if failed else None,
            error_message=f"No token came within 120 s. {HOSTILE}" if failed else None,
            provider="up",
            request_model="m",
            input=(
                Message(role="system", content="Answer with yes or no."),
                Message(
                    role="user", content=f"Is number {i} even? {HOSTILE if i % 5 == 3 else ''}\n" + "Explain. " * 30
                ),
            ),
            output=() if failed else (Message(role="assistant", content=HOSTILE if i == 23 else f"Yes, {i} is."),),
            input_tokens=100 + i,
            output_tokens=None if failed else 12,
            ttft_s=None if failed else 0.14,
            tpot_s=None if failed else 0.0102,
            cost_usd=None if failed else 0.000123,
            lineage=Lineage(app="boolq" if i % 3 else None, variant_id="variant_" + "ab" * 16),
            attributes={HOSTILE: HOSTILE},
        )
        spans.append(span)
        scores.append(
            Score(
                scorer="accuracy" if i != 23 else HOSTILE,
                version="1",
                value=i % 2 == 0 if i != 22 else HOSTILE,
                reason=HOSTILE,
                trace_id=span.trace_id,
                span_id=span.span_id,
                time_ns=span.end_ns,
            )
        )
    await noria.workspace.traces.append(spans, scores)


def agent_steps() -> list[Span]:
    """A trace of three steps in a session with a hostile name."""
    lineage = Lineage(app="desk", session_id=HOSTILE, user_id="ada")
    made = []
    for number, (name, said) in enumerate([("agent", "It comes tomorrow."), ("chat", "order?"), ("tool", "shipped")]):
        made.append(
            Span(
                trace_id="ad" * 16,
                span_id=f"{number + 1:016x}",
                parent_id=f"{1:016x}" if number else None,
                name=name,
                start_ns=_NOW + number,
                end_ns=_NOW + 10 + number,
                input=(Message(role="user", content="Where is my order?"),),
                output=(Message(role="assistant", content=said),),
                lineage=lineage,
            )
        )
    return made


def cut_call() -> Span:
    """A call that broke off, so that its provider never counted its tokens."""
    estimated = {"noria.estimated.input_tokens": 38, "noria.estimated.output_tokens": 7}
    return Span(
        trace_id="c" * 32,
        span_id="d" * 16,
        name="chat up/m",
        operation="chat",
        start_ns=_NOW,
        end_ns=_NOW + 10**9,
        status="error",
        error_type="call_cut",
        error_message="The provider ended its reply in the middle.",
        provider="up",
        request_model="m",
        output=(Message(role="assistant", content="A noria is a water wh"),),
        attributes=estimated,
    )


_EMBEDDER = "openai/text-embedding-3-small"
GATEWAY: dict[str, Any] = {
    "others": {
        "far": Provider(
            base_url="http://127.0.0.1:9/v1", attempts=1, breaker_calls=2, breaker_open_s=600, max_calls=40
        ),
        "keyless": Provider(base_url="https://api.example.com/v1", api_key_env="NOBODY_SET_THIS_KEY"),
    },
    "routes": {
        "fast": Route(targets=("up/m", "far/m"), may_continue=True, shadows={"up/other": 0.1}),
        "split": Route(targets=("up/m", "fast"), policy="weighted", weights=(9, 1), sticky="user", max_cost_usd=0.02),
    },
    "aliases": {"gpt-4o": "up/m"},
    "caches": {
        "up/m": CachePolicy(ttl_s=86400, scope="team", sampled=True),
        "faq": CachePolicy(
            similar=Similar(embedder=_EMBEDDER, threshold=0.93, calibration=calibration_id(_EMBEDDER, 0.93))
        ),
    },
    "guards": (
        GuardRule(
            kind="regex", name="no cards", on=("faq", "up/*"), policy="redact", options={"pattern": r"\b\d{16}\b"}
        ),
        GuardRule(kind="length", places=("input",), policy="flag", options={"characters": 10}),
    ),
}
"""Settings under which a gateway has something of everything to show."""


async def fill_gateway(noria: Noria) -> None:
    """Keys, limits and calls: some answered, some kept, some failed."""
    made = {}
    for name, more in {
        "support-bot": {"apps": ["faq", "support-*"], "team": "care"},
        "research-of-long-questions": {
            "models": ["up/*", HOSTILE],
            "team": "x" * 64,
            "owner": "ada",
            "expires_ns": 4_000_000_000_000_000_000,
        },
        "gone": {},
    }.items():
        made[name] = await noria.post("/api/keys", {"name": name, **more})
    await noria.post(f"/api/keys/{made['gone']['key']['id']}/revoke")
    for limit in (
        {
            "name": "bot-rpm",
            "measure": "requests",
            "amount": 4,
            "of": "key",
            "who": made["research-of-long-questions"]["key"]["id"],
        },
        {"name": "fair", "measure": "tokens", "amount": 100_000, "of": "user", "window": "hour"},
        {"name": "care", "measure": "usd", "amount": 500, "of": "team", "who": "care", "window": "month"},
    ):
        await noria.put("/api/limits", limit)
    told = {"id": calibration_id(_EMBEDDER, 0.93), "said": f"1.2 % false hits at most. {HOSTILE}", "threshold": 0.93}
    noria.workspace.catalogue.audit.add("cache.calibrated", _EMBEDDER, by="ada", **told)
    headers = {"authorization": f"Bearer {made['research-of-long-questions']['secret']}"}
    said = [{"role": "user", "content": "Is my card 1234123412341234 good?"}]
    for name in ("up/m", "up/m", "up/m", "up/other"):
        body = {"model": name, "messages": said, "user": "ada"}
        assert (await noria.client.post("/v1/chat/completions", json=body, headers=headers)).status_code == 200
    assert (await noria.client.post("/v1/chat/completions", json=body, headers=headers)).status_code == 429
    for _ in range(3):
        body = {"model": "far/m", "messages": said, "user": "ada"}
        assert (await noria.client.post("/v1/chat/completions", json=body)).status_code >= 500
    assert (await noria.client.post("/v1/chat/completions", json={"model": "fast", "messages": said})).is_success
    await noria.workspace.calling.together.drain()
