"""What an evaluation file names, looked up before anything is written: models, prompts, variants of apps."""

from __future__ import annotations

import msgspec

from noria.assemble.files import EvalPlan, VariantEntry
from noria.cli.api import Api, part
from noria.cli.prompts import fetch
from noria.core.apps import App, Variant
from noria.core.errors import InvalidInput, UnknownName
from noria.core.experiments import ExperimentVariant
from noria.core.prompts import Prompt
from noria.core.struct import Noun
from noria.serve.shapes import MadeVariant, PushPrompt, PutVariant


class Resolved(Noun):
    """A variant of the file, made of content ids."""

    variant: ExperimentVariant
    """The variant under its name."""
    prompt: Prompt | None = None
    """Its prompt, where the file names one."""
    push: PushPrompt | None = None
    """How its prompt file is to be stored, once everything is known to be right."""


async def resolve(api: Api, plan: EvalPlan) -> list[Resolved]:
    """Look everything up and check that it fits together; nothing is written.

    Raises:
        InvalidInput: whatever is wrong, with its place in the file.
    """
    found: list[Resolved] = []
    for index, entry in enumerate(plan.file.variants):
        try:
            found.append(await _resolve(api, plan, entry))
        except InvalidInput as error:
            raise plan.error_in(index, error) from error
    prompts = {one.variant.name: one.prompt for one in found if one.prompt is not None}
    plan.check(prompts, [one.variant.variant for one in found])
    return found


async def _resolve(api: Api, plan: EvalPlan, entry: VariantEntry) -> Resolved:
    if entry.variant is not None:
        return Resolved(variant=await _variant_of_app(api, entry.name, entry.variant))
    if entry.prompt_file:
        written = plan.prompt_files[entry.name]
        variant = await _made(api, entry, None)
        variant = msgspec.structs.replace(variant, prompt_id=written.prompt.id)
        push = PushPrompt(name=part(written.name), prompt=written.prompt, note=written.note)
        return Resolved(variant=ExperimentVariant(name=entry.name, variant=variant), prompt=written.prompt, push=push)
    if entry.prompt is None:
        return Resolved(variant=ExperimentVariant(name=entry.name, variant=await _made(api, entry, None)))
    version = await fetch(api, entry.prompt)
    variant = await _made(api, entry, version.prompt_id)
    label = f"{version.name}@{version.version}"
    return Resolved(variant=ExperimentVariant(name=entry.name, variant=variant, label=label), prompt=version.prompt)


async def _made(api: Api, entry: VariantEntry, prompt_id: str | None) -> Variant:
    """A variant with its model's id, where the model is known."""
    body = PutVariant(model=entry.model or "", prompt=prompt_id, params=entry.params)
    return (await api.post("/api/variants", MadeVariant, body)).variant


async def _variant_of_app(api: Api, name: str, written: str) -> ExperimentVariant:
    app_name, _, variant_name = written.partition("/")
    app = await api.get(f"/api/apps/{part(app_name)}", App)
    if not variant_name:
        shares = app.release.shares if app.release else ()
        if len(shares) != 1:
            raise InvalidInput(f"App {app_name!r} does not serve exactly one variant; name one: {app_name}/VARIANT.")
        matching = [found for found in app.variants if found.variant_id == shares[0].variant_id]
    else:
        matching = [found for found in app.variants if found.name == variant_name]
    if not matching:
        names = ", ".join(found.name for found in app.variants) or "none"
        raise UnknownName(f"App {app_name!r} has no variant {variant_name!r} (it has: {names}).")
    named = matching[0]
    return ExperimentVariant(name=name, variant=named.variant, label=f"{app_name}/{named.name}")
