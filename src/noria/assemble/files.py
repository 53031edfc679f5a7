"""People's files, read and checked before anything is sent to a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from noria.adapt.prompts import diff, dump_markdown, read_prompt
from noria.adapt.prompts.files import PromptFile
from noria.core.apps import Variant
from noria.core.datasets import Case
from noria.core.errors import InvalidInput
from noria.core.prompts import Prompt
from noria.core.replies import Reply
from noria.core.requests import Request
from noria.core.scores import Scorer
from noria.core.spans import Span
from noria.evaluate.files.datasets import read
from noria.evaluate.files.evalfile import EvalFile, LoadedEval, VariantEntry, check_cases, load, make_scorers
from noria.evaluate.files.rows import Problem
from noria.evaluate.files.schema import eval_schema
from noria.evaluate.running.asking import check_asks
from noria.scorers.registry import kinds, make, options_schema

__all__ = ["EvalPlan", "PromptFile", "VariantEntry", "diff", "dump_markdown", "published_schema", "read_prompt"]


class EvalPlan:
    """An evaluation file with everything that it names on this machine: its data and its prompt files.

    Raises:
        InvalidInput: whatever is wrong, with file, line and column.
    """

    def __init__(self, path: Path) -> None:
        self._loaded: LoadedEval = load(path)
        self.file: EvalFile = self._loaded.file
        """What the file says."""
        scorers: list[Scorer] = make_scorers(self._loaded, lambda spec: make(spec, ask=_nobody))
        data = read(self.file.dataset, self._loaded.folder)
        self.cases: list[Case] = data.cases
        """The cases of its data set."""
        self.problems: tuple[Problem, ...] = data.problems
        """Rows that were skipped, because the file says so."""
        check_cases(self._loaded, self.cases, prompts={}, scorers=scorers)
        self.prompt_files: dict[str, PromptFile] = {
            entry.name: self._prompt(index, entry)
            for index, entry in enumerate(self.file.variants)
            if entry.prompt_file
        }
        """Prompt files by the name of their variant."""

    @property
    def dataset_name(self) -> str:
        """What the data set is called: its file's name."""
        return Path(self.file.dataset.path).stem

    def check(self, prompts: dict[str, Prompt], variants: Sequence[Variant] = ()) -> None:
        """Check that the cases have what prompts (by variant's name) and variants need.

        Raises:
            InvalidInput: the first that is missing.
        """
        check_cases(self._loaded, self.cases, prompts=prompts, scorers=())
        check_asks(self.cases, variants)

    def use_model(self, model: str) -> None:
        """Try every variant that names a model on another one, instead of writing a second file."""
        variants = tuple(
            msgspec.structs.replace(entry, model=model) if entry.model is not None else entry
            for entry in self.file.variants
        )
        self.file = msgspec.structs.replace(self.file, variants=variants)

    def error_in(self, variant: int, error: InvalidInput) -> InvalidInput:
        """``error`` with the place of a variant in the file before it."""
        return self._loaded.error(error.message, ("variants", variant), hint=error.hint)

    def _prompt(self, index: int, entry: VariantEntry) -> PromptFile:
        try:
            return read_prompt(self._loaded.folder / (entry.prompt or ""))
        except InvalidInput as error:
            raise self._loaded.error(error.message, ("variants", index, "prompt"), hint=error.hint) from error


def published_schema() -> dict[str, object]:
    """The JSON Schema of the evaluation file, with the options of every kind of scorer that is installed."""
    return eval_schema({kind: options_schema(kind) for kind in kinds()})


async def _nobody(request: Request) -> tuple[Span, Reply]:
    """Stands in for the models that judges ask: reading a file calls none."""
    raise AssertionError(request.model)
