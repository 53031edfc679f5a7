"""The YAML file of ``noria eval``: what is tried, on what, and how it is judged.

:func:`load` parses and checks what the file alone can tell. What needs a catalogue, a registry of scorers or the data
is checked by :func:`make_scorers` and :func:`check_cases`, with things handed in, so that those errors too begin with
``file:line:column``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import msgspec

from noria.core.datasets import Case
from noria.core.errors import InvalidInput
from noria.core.experiments import ExperimentSpec, ExperimentVariant
from noria.core.prompts import Prompt
from noria.core.requests import Parameters
from noria.core.scores import Checking, Scorer, ScorerSpec
from noria.core.struct import Noun
from noria.evaluate.files.datasets import Source
from noria.evaluate.files.marked import Document
from noria.evaluate.files.marked import Path as At
from noria.evaluate.files.strict import convert
from noria.evaluate.findings.conclude import metric_names
from noria.evaluate.findings.gates import check_names, parse_gate

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class VariantEntry(Noun):
    """One thing to try: a model with a prompt and parameters, or something an app already has."""

    name: Name
    """Name in the experiment, unique."""
    model: str | None = None
    """``provider/model``, such as ``local/smollm2-135m``."""
    prompt: str | None = None
    """A prompt file (``prompts/v1.md``, pushed as a new version when it changed), or ``name@label`` or ``name@3`` in
    the catalogue. Left out, the case's ``messages`` or its one input are sent as they are."""
    params: Parameters = Parameters()
    """Decoding parameters."""
    variant: str | None = None
    """Instead of model, prompt and params: ``app/variant``, or ``app`` for what its release in force serves."""

    @property
    def prompt_file(self) -> bool:
        """Whether ``prompt`` names a file; else it names a version in the catalogue."""
        return self.prompt is not None and self.prompt.endswith((".md", ".yaml", ".yml"))


class EvalFile(Noun):
    """An experiment: data set x variants x scorers."""

    name: Name
    """What people call the experiment."""
    dataset: Source
    """The cases."""
    variants: Annotated[tuple[VariantEntry, ...], msgspec.Meta(min_length=1)]
    """What is compared, in order; variants run one after another."""
    scorers: Annotated[tuple[str | dict[str, Any], ...], msgspec.Meta(min_length=1)]
    """How answers are judged: a kind, or a mapping with ``kind``, a ``name`` and the kind's options."""
    app: str | None = None
    """App that the experiment belongs to."""
    baseline: str | None = None
    """Variant that the others are compared with; by default the first."""
    repeats: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    """Calls of each case and variant, to see how much answers vary."""
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 4
    """Most calls at the same time."""
    cache: bool = True
    """Take replies from earlier calls with the same content, repeats told apart."""
    pass_if: str | tuple[str, ...] = ()
    """Gates: conditions on metrics, such as ``accuracy.lower > 0.6``; all must hold for exit code 0."""
    alpha: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.05
    """Significance level; intervals have coverage 1 - alpha."""

    @property
    def gates(self) -> tuple[str, ...]:
        """``pass_if`` as a list."""
        return (self.pass_if,) if isinstance(self.pass_if, str) else self.pass_if

    @property
    def scorer_specs(self) -> tuple[ScorerSpec, ...]:
        """``scorers`` with the short forms written out: a scorer without a name is called as its kind."""
        return tuple(_spec(entry) for entry in self.scorers)

    def spec(self, dataset_id: str, variants: Sequence[ExperimentVariant]) -> ExperimentSpec:
        """The experiment that the file asks for, once its data set and variants are known by their ids."""
        return ExperimentSpec(
            name=self.name,
            dataset_id=dataset_id,
            variants=tuple(variants),
            scorers=self.scorer_specs,
            baseline=self.baseline or self.variants[0].name,
            repeats=self.repeats,
            cache=self.cache,
            gates=self.gates,
            alpha=self.alpha,
            limit=self.dataset.limit,
        )


class LoadedEval:
    """An evaluation file, and where each part of it is written."""

    def __init__(self, file: EvalFile, document: Document, folder: Path) -> None:
        self.file = file
        """What the file says."""
        self.folder = folder
        """Where its relative paths start."""
        self.error = document.error
        """``error(message, path)``: an error about the part at ``path``, such as ``("variants", 0, "model")``, that
        begins with ``file:line:column``."""


def load(path: Path) -> LoadedEval:
    """Read an evaluation file and check it as far as it stands on its own.

    Raises:
        InvalidInput: with file, line and column: unreadable YAML, an unknown key (and the one that was meant), a value
            of the wrong type, a name used twice, a baseline that is no variant, a gate that cannot be read or speaks
            of no scorer.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}.") from error
    return parse(data, name=str(path), folder=path.parent)


def parse(data: bytes, *, name: str, folder: Path) -> LoadedEval:
    """As :func:`load`, from the file's content."""
    document = Document(data, name=name)
    file = convert(document, EvalFile)
    loaded = LoadedEval(file, document, folder)
    _check_scorers(loaded)
    _check_variants(loaded)
    _check_gates(loaded)
    return loaded


def make_scorers(loaded: LoadedEval, make: Callable[[ScorerSpec], Scorer]) -> list[Scorer]:
    """Make the file's scorers, and look up the gates' metrics among theirs.

    Raises:
        InvalidInput: ``make`` refused a kind or its options, or a gate speaks of a metric that no scorer has; with the
            place in the file.
    """
    scorers = []
    for index, spec in enumerate(loaded.file.scorer_specs):
        try:
            scorers.append(make(spec))
        except InvalidInput as error:
            raise loaded.error(error.message, ("scorers", index), hint=error.hint) from error
    _check_gates(loaded, scorers)
    return scorers


def check_cases(
    loaded: LoadedEval, cases: Sequence[Case], *, prompts: Mapping[str, Prompt], scorers: Sequence[Scorer]
) -> None:
    """Check that the cases have what prompts and scorers will ask of them, before any call is paid for.

    Arguments:
        prompts: by variant's name; variants without a prompt are left out.
        scorers: in the file's order.

    Raises:
        InvalidInput: a case lacks a required variable of a prompt, no case has the reference or context that a scorer
            needs, or a scorer can't judge one of them.
    """
    for index, entry in enumerate(loaded.file.variants):
        prompt = prompts.get(entry.name)
        at: At = ("variants", index, "prompt" if entry.prompt is not None else "variant")
        if prompt is not None:
            _check_variables(loaded, cases, prompt, at)
    for index, scorer in enumerate(scorers):
        for need, there in (("reference", _has_reference), ("context", _has_context)):
            if need in scorer.needs and not any(map(there, cases)):
                message = f'the scorer "{scorer.name}" needs a {need}, which no case of the data set has.'
                raise loaded.error(message, ("scorers", index), hint=f"Say which column it is: dataset.{need}.")
        if isinstance(scorer, Checking):
            _check_each(loaded, cases, scorer, ("scorers", index))


def _check_each(loaded: LoadedEval, cases: Sequence[Case], scorer: Checking, at: At) -> None:
    for case in cases:
        try:
            scorer.check_case(case)
        except InvalidInput as error:
            raise loaded.error(f"case {case.id}: {error.message}", at, hint=error.hint) from error


def _check_variables(loaded: LoadedEval, cases: Sequence[Case], prompt: Prompt, at: At) -> None:
    wanted = [name for name, variable in prompt.variables.items() if variable.required]
    for case in cases:
        for name in wanted:
            if name not in case.input:
                found = ", ".join(case.input) or "nothing"
                near = get_close_matches(name, case.input, n=1)
                hint = f"Did you mean {near[0]}?" if near else f"Add it: dataset.input: {{{name}: COLUMN}}."
                message = f'the prompt needs the variable "{name}", but the input of case {case.id} has {found}.'
                raise loaded.error(message, at, hint=hint)


def _has_reference(case: Case) -> bool:
    return case.reference is not None


def _has_context(case: Case) -> bool:
    return bool(case.context)


def _spec(entry: str | dict[str, Any]) -> ScorerSpec:
    if isinstance(entry, str):
        return ScorerSpec(kind=entry, name=entry)
    options = {key: value for key, value in entry.items() if key not in {"kind", "name"}}
    return ScorerSpec(kind=entry["kind"], name=entry.get("name", entry["kind"]), options=options)


def _check_scorers(loaded: LoadedEval) -> None:
    for index, entry in enumerate(loaded.file.scorers):
        at: At = ("scorers", index)
        if isinstance(entry, dict):
            if "kind" not in entry:
                raise loaded.error("a scorer needs a kind.", at, hint="Write, for example, {kind: exact}.")
            for key in ("kind", "name"):
                if not isinstance(entry.get(key, "text"), str):
                    raise loaded.error(f"the {key} of a scorer must be text.", (*at, key))
    names = [spec.name for spec in loaded.file.scorer_specs]
    _refuse_twice(loaded, names, "scorers", hint="Give one of them another name: {kind: ..., name: ...}.")


def _check_variants(loaded: LoadedEval) -> None:
    file = loaded.file
    names = [entry.name for entry in file.variants]
    _refuse_twice(loaded, names, "variants", hint="Rename one of them.")
    for index, entry in enumerate(file.variants):
        at: At = ("variants", index)
        if (entry.model is None) == (entry.variant is None):
            message = f'the variant "{entry.name}" needs either a model or a variant of an app, not both or neither.'
            raise loaded.error(message, at)
        if entry.variant is not None and (entry.prompt is not None or entry.params != Parameters()):
            message = f'the variant "{entry.name}" is {entry.variant}, whose prompt and params cannot be changed here.'
            raise loaded.error(message, at, hint="Leave them out, or give a model instead.")
        if entry.model is not None and not all(entry.model.partition("/")):
            message = f'the model "{entry.model}" is not of the form provider/model.'
            raise loaded.error(message, (*at, "model"), hint="Write, for example, local/smollm2-135m.")
    if file.baseline is not None and file.baseline not in names:
        near = get_close_matches(file.baseline, names, n=1)
        hint = f"Did you mean {near[0]}?" if near else ""
        message = f'the baseline "{file.baseline}" is no variant; there are {", ".join(names)}.'
        raise loaded.error(message, ("baseline",), hint=hint)


def _refuse_twice(loaded: LoadedEval, names: Sequence[str], key: str, *, hint: str) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise loaded.error(f'two {key} are called "{name}".', (key, index), hint=hint)


def _check_gates(loaded: LoadedEval, scorers: Sequence[Scorer] | None = None) -> None:
    """Parse the gates and look their names up; without scorers a metric over a run is believed to exist."""
    variants = [entry.name for entry in loaded.file.variants]
    names = [spec.name for spec in loaded.file.scorer_specs]
    for index, text in enumerate(loaded.file.gates):
        try:
            gate = parse_gate(text)
            if scorers is None:
                believed = [gate.metric] if gate.metric.startswith(tuple(f"{name}." for name in names)) else []
                check_names([gate], metrics=names + believed, variants=variants)
            else:
                check_names([gate], metrics=metric_names(scorers), variants=variants)
        except InvalidInput as error:
            raise loaded.error(error.message, ("pass_if", index), hint=error.hint) from error
