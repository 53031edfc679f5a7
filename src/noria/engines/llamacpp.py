"""llama.cpp, through xllamacpp's OpenAI-compatible server in a process of its own: a native crash stays there."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from noria.core.errors import EngineFailed, InvalidInput
from noria.core.models import EngineOptions
from noria.core.protocols import Endpoint, EngineStatus
from noria.engines.gguf import GGUFHeader, read_header
from noria.engines.memory import memory_here, memory_need, memory_verdict
from noria.engines.process import CannotRun
from noria.engines.restarts import RestartPolicy
from noria.engines.supervisor import Supervisor


class LlamaCpp:
    """An :class:`~noria.core.protocols.Engine` that serves one GGUF file.

    Arguments:
        weights: the file.
        model: the name it answers under; also its log's.
        options: the engine's flags.
        log_folder: where its log goes.
        policy: the supervisor's patience.

    Nothing is read or started before :meth:`start`.
    """

    def __init__(
        self,
        weights: Path,
        *,
        model: str,
        options: EngineOptions,
        log_folder: Path,
        policy: RestartPolicy | None = None,
    ) -> None:
        self._weights = weights
        self._model = model
        self._options = options
        self._warning = ""
        self._order = {"weights": str(weights), "model": model, **msgspec.to_builtins(_all_of(options))}
        self._supervisor = Supervisor(
            name=model,
            model=model,
            argv=(sys.executable, "-P", "-X", "faulthandler", "-m", "noria.engines.llamacpp_server"),
            order=self._order,
            log=log_folder / f"{model}.log",
            policy=policy,
            check=self._check,
        )

    async def start(self) -> Endpoint:
        """Check the weights and the memory, start or join, and return when it answers.

        Raises:
            InvalidInput: the weights are missing, cut off or not a model that llama.cpp can serve.
            EngineFailed: it can't run on this machine (not retryable), or crashed too often.
        """
        return await self._supervisor.start()

    async def stop(self) -> None:
        """Stop; nothing of it is left."""
        await self._supervisor.stop()

    async def crashed(self, endpoint: Endpoint) -> EngineFailed:
        """Wait until the process behind ``endpoint`` is gone, and return why."""
        return await self._supervisor.crashed(endpoint)

    def status(self) -> EngineStatus:
        """Health now; the message of a ready engine is a warning about memory or context, where there is one."""
        status = self._supervisor.status()
        return msgspec.structs.replace(status, message=status.message or self._warning)

    def _check(self) -> None:
        header = read_header(self._weights)
        check_servable(header, str(self._weights))
        self._order["pooling"] = self._options.pooling or header.pooling
        sensible, sentence = memory_verdict(memory_need(header, self._options), memory_here())
        if not sensible:
            raise CannotRun(
                f"The engine '{self._model}' can't start: {sentence}",
                hint="Use fewer slots, a shorter context, kv_cache q8_0, or smaller weights.",
            )
        trained = header.context_length
        if trained and self._options.context > trained:
            sentence = f"{sentence} Its context of {self._options.context} is beyond the {trained} it was trained for."
        self._warning = sentence.strip()


def check_servable(header: GGUFHeader, name: str) -> None:
    """Refuse a GGUF file that is no whole model. Raises ``InvalidInput``."""
    if header.kind != "model" or not header.architecture:
        raise InvalidInput(f"{name} holds no model, but {header.kind or 'nothing with an architecture'}.")
    if header.parts > 1:
        raise InvalidInput(
            f"{name} is one of {header.parts} parts of a model; Noria serves models in one file.",
            hint="Join them with llama.cpp's gguf-split --merge.",
        )


def _all_of(options: EngineOptions) -> dict[str, object]:
    # Defaults too: the noun leaves them out of its encoded form, and the process knows nothing of the noun.
    return {field: getattr(options, field) for field in options.__struct_fields__}
