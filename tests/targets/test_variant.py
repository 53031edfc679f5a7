"""A variant around a target."""

from __future__ import annotations

from noria.core.apps import Variant
from noria.core.requests import Parameters, Request
from noria.targets.scripted import Scripted, answer
from noria.targets.variant import AsVariant, merged

from .contract import sent_through


async def test_a_variant_sets_model_parameters_and_lineage() -> None:
    variant = Variant(model="p/m1", model_id="model_1", params=Parameters(temperature=0, extra={"top_k": 1}))
    request = Request(model="boolq", params=Parameters(temperature=0.7, max_tokens=5, extra={"top_k": 9, "min_p": 1}))
    seen = await sent_through(AsVariant(Scripted(lambda _: answer("x")), variant, "variant_1"), request)
    assert seen.model == "p/m1"
    assert seen.params == Parameters(temperature=0, max_tokens=5, extra={"top_k": 1, "min_p": 1})
    assert seen.attributes == {"noria.params_ignored": ["temperature", "top_k"]}
    assert (seen.lineage.variant_id, seen.lineage.model_id) == ("variant_1", "model_1")


async def test_agreeing_parameters_are_not_called_ignored() -> None:
    variant = Variant(model="p/m1", params=Parameters(temperature=0))
    request = Request(model="boolq", params=Parameters(temperature=0))
    assert (await sent_through(AsVariant(Scripted(lambda _: answer("x")), variant, "v"), request)).attributes == {}


def test_a_schema_overrules_any_response_format() -> None:
    ours, theirs = (
        Parameters(response_schema={"type": "object"}),
        Parameters(extra={"response_format": {"type": "text"}}),
    )
    assert merged(ours, theirs) == (ours, ["response_format"])
