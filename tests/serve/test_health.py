from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from noria.serve.health import metrics_page

from .conftest import KEY, Noria

HI = [{"role": "user", "content": "hi"}]


async def test_metrics_are_what_prometheus_reads(noria: Noria) -> None:
    assert (await noria.client.post("/v1/chat/completions", json={"model": "up/m", "messages": HI})).status_code == 200
    response = await noria.client.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    numbers = noria.workspace.numbers()
    calls = noria.workspace.calling.metrics
    seconds = {"s": "_seconds", "{token}": ""}
    measured = {one.name.replace(".", "_") + seconds[one.unit] for one in calls.histograms}
    measured |= {one.name for one in calls.counters}
    assert families.keys() == {name.removesuffix("_total") for name in numbers} | measured
    for name, value in numbers.items():
        family = families[name.removesuffix("_total")] if name.removesuffix("_total") in families else families[name]
        assert family.type == ("counter" if name.endswith("_total") else "gauge")
        [sample] = family.samples
        assert (sample.name, sample.value) == (name, value)
    assert numbers["noria_records_appended_total"] >= 1
    assert KEY not in response.text


async def test_calls_are_measured_under_the_names_of_the_conventions(noria: Noria) -> None:
    for model in ("up/m", "up/m", "nobody/m"):
        await noria.client.post("/v1/chat/completions", json={"model": model, "messages": HI})
    text = (await noria.client.get("/metrics")).text
    labels = 'gen_ai_operation_name="chat",gen_ai_provider_name="up",gen_ai_request_model="m"'
    assert f'gen_ai_client_operation_duration_seconds_count{{error_type="",{labels}}} 2.0' in text
    assert f'gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type="output"}} 4.0' in text
    assert f'gen_ai_client_token_usage_bucket{{{labels},gen_ai_token_type="output",le="4.0"}} 2.0' in text
    other = 'gen_ai_operation_name="chat",gen_ai_provider_name="_other",gen_ai_request_model="_other"'
    assert f'noria_calls_refused_total{{by="caller",{other}}} 1.0' in text


def test_numbers_are_read_when_they_are_asked_for() -> None:
    numbers = {"noria_things_total": 1.0}
    page = metrics_page(lambda: numbers)
    assert b"noria_things_total 1.0" in page()
    numbers["noria_things_total"] = 2.0
    assert b"noria_things_total 2.0" in page()


async def test_alive_and_ready(noria: Noria) -> None:
    for path, body in (("/healthz", {"status": "ok"}), ("/readyz", {"ready": True})):
        response = await noria.client.get(path, headers={"authorization": ""})
        assert (response.status_code, response.json()) == (200, body)
    await noria.workspace.close()
    assert (await noria.client.get("/readyz")).status_code == 503
    assert (await noria.client.get("/healthz")).status_code == 200
