"""An engine without a model: a real supervised process that answers as it is told.

For tests and demonstrations of everything around an engine. What it does is decided by directives in the last message:

    [[crash]]        die at once                       [[crash 3]]     die after 3 tokens of the answer
    [[hang]]         never answer                      [[slow 0.05]]   that many seconds before each token
    [[refuse 429]]   answer with that HTTP status      [[cut 3]]       close the connection after 3 tokens
    [[say words]]    answer with these words

Without one it answers with the first of ``answers`` whose key is in the message, else with the message itself.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from noria.core.errors import EngineFailed
from noria.core.protocols import Endpoint, EngineStatus
from noria.engines.restarts import RestartPolicy
from noria.engines.supervisor import Supervisor


class ScriptedEngine:
    """An :class:`~noria.core.protocols.Engine` that plays a script. A token is a word with the space before it.

    Arguments:
        log_folder: where its log goes.
        model: name it answers under.
        answers: text to find in the last message, and what to answer then.
        start_crashes: how many of its first starts crash.
        start_hangs: when true it never becomes healthy.
        refusal: when given, it says at the start that it can't run, in these words.
        policy: the supervisor's patience.
    """

    def __init__(
        self,
        log_folder: Path,
        *,
        model: str = "scripted",
        answers: Mapping[str, str] | None = None,
        start_crashes: int = 0,
        start_hangs: bool = False,
        refusal: str = "",
        policy: RestartPolicy | None = None,
    ) -> None:
        order = {
            "model": model,
            "answers": dict(answers or {}),
            "start_crashes": start_crashes,
            "start_hangs": start_hangs,
            "refusal": refusal,
        }
        self._supervisor = Supervisor(
            name=model,
            model=model,
            argv=(sys.executable, "-P", "-m", "noria.engines.scripted_server"),
            order=order,
            log=log_folder / f"{model}.log",
            policy=policy,
        )

    async def start(self) -> Endpoint:
        """Start or join; see :meth:`noria.engines.supervisor.Supervisor.start`."""
        return await self._supervisor.start()

    async def stop(self) -> None:
        """Stop; nothing of it is left."""
        await self._supervisor.stop()

    async def crashed(self, endpoint: Endpoint) -> EngineFailed:
        """Wait until the process behind ``endpoint`` is gone, and return why."""
        return await self._supervisor.crashed(endpoint)

    def status(self) -> EngineStatus:
        """Health now."""
        return self._supervisor.status()
