"""Apps, variants and releases: what ships, and who gets it."""

from __future__ import annotations

from noria.core.identity import content_id
from noria.core.requests import Parameters
from noria.core.struct import Noun


class Variant(Noun):
    """What ships: a model set-up, parameters and a prompt version. Content-addressed."""

    model: str
    """``provider/model``."""
    model_id: str | None = None
    """Content id of a local model's set-up (weights and engine flags); None for a remote model."""
    prompt_id: str | None = None
    """Prompt version; None sends the caller's messages as they are."""
    params: Parameters = Parameters()
    """Decoding parameters; they win over the caller's, because they are part of what was evaluated."""

    @property
    def id(self) -> str:
        """Content id."""
        return content_id("variant", self)


class NamedVariant(Noun):
    """A variant under the name it has in an app."""

    name: str
    """Name within the app, such as ``few-shot``."""
    variant_id: str
    """Content id."""
    variant: Variant
    """The variant."""


class Share(Noun):
    """A part of an app's traffic."""

    variant_id: str
    """Who answers it."""
    weight: float = 1.0
    """Relative weight, more than 0."""


PRODUCTION = "production"
"""The label of the release that the app's own name stands for."""


class Release(Noun):
    """Who gets which variant, from one moment on. Releases are never changed; a new one follows."""

    id: str
    """Opaque id."""
    app: str
    """The app."""
    shares: tuple[Share, ...]
    """Variants and weights; a user or session keeps its variant while the release lasts."""
    shadows: tuple[Share, ...] = ()
    """Variants that calls are mirrored to; the weight is the part of the calls, above 0 and at most 1."""
    created_ns: int
    """When, nanoseconds since 1970 UTC."""
    created_by: str
    """Who promoted or rolled back."""
    reason: str = ""
    """Why, in words; a promotion after an experiment names it."""
    experiment_id: str | None = None
    """The experiment that the decision rests on."""
    rolled_back_from: str | None = None
    """For a rollback: the release that was taken back."""
    label: str = PRODUCTION
    """What it is called by, as ``app@label``; what follows it has the same."""


class App(Noun):
    """A named job with variants and a release."""

    name: str
    """Name callers use as the model, such as ``boolq``."""
    description: str = ""
    """What it is for."""
    variants: tuple[NamedVariant, ...] = ()
    """Variants by name, newest meaning of each name."""
    labelled: tuple[Release, ...] = ()
    """The releases in force under other labels than ``production``, by label."""
    release: Release | None = None
    """The release in force; None: the app answers nobody yet."""
    created_ns: int = 0
    """When it was made, nanoseconds since 1970 UTC."""

    def released(self, label: str) -> Release | None:
        """The release in force under a label."""
        if label == PRODUCTION:
            return self.release
        return next((release for release in self.labelled if release.label == label), None)

    @property
    def in_force(self) -> tuple[Release, ...]:
        """The releases in force under any label."""
        return self.labelled if self.release is None else (self.release, *self.labelled)
