"""Variants from the names that people write."""

from __future__ import annotations

from noria.assemble.gateway.answers import Answers
from noria.core.apps import Variant
from noria.core.requests import Parameters
from noria.stores.catalogue import Catalogue


class Variants:
    """Finds what a variant's names stand for."""

    def __init__(self, catalogue: Catalogue, answers: Answers) -> None:
        self._catalogue = catalogue
        self._answers = answers

    def make(self, *, model: str, prompt: str | None, params: Parameters) -> Variant:
        """A variant: the prompt as ``name``, ``name@ref`` or id; a local model becomes its set-up's id.

        Raises:
            UnknownName: no such model, provider or prompt.
        """
        self._answers.model(model)
        model_id = None
        if model.startswith("local/"):
            model_id = self._catalogue.models.get(model.removeprefix("local/")).id
        return Variant(model=model, model_id=model_id, prompt_id=self._prompt_id(prompt), params=params)

    def _prompt_id(self, written: str | None) -> str | None:
        if written is None:
            return None
        if written.startswith("prompt_"):
            return self._catalogue.prompts.by_id(written).id
        name, _, ref = written.partition("@")
        return self._catalogue.prompts.get(name, ref or None).prompt_id
