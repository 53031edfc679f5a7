"""Scores: given from outside, and listed."""

from __future__ import annotations

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody

from noria.assemble import Workspace
from noria.core.errors import InvalidInput
from noria.core.questions import Filter, Order, Question
from noria.core.scores import GivenScore, Score, Source
from noria.serve.api.paging import Limit
from noria.serve.shapes import KeptScores

MOST = 1000
"""Scores of one request."""


class ScoresController(Controller):
    """``/api/scores``."""

    path = "/scores"
    tags = ("scores",)

    @post()
    async def give(
        self, workspace: NamedDependency[Workspace], data: JSONBody[GivenScore | list[GivenScore]]
    ) -> KeptScores:
        """Judge spans or traces: one score or a list of up to 1,000, kept all together or not at all."""
        given = data if isinstance(data, list) else [data]
        if len(given) > MOST:
            raise InvalidInput(
                f"These are {len(given)} scores.", kept="None was kept.", hint=f"Send at most {MOST} at a time."
            )
        new = await workspace.given_scores.add(given)
        return KeptScores(new=new, known=len(given) - new)

    @get()
    async def latest(
        self,
        workspace: NamedDependency[Workspace],
        limit: Limit = 50,
        scorer: FromQuery[str | None] = None,
        source: FromQuery[Source | None] = None,
        trace_id: FromQuery[str | None] = None,
    ) -> list[Score]:
        """The latest scores, newest first: of one scorer, one source, or one trace."""
        wanted = {"scorer": scorer, "source": source, "trace_id": trace_id}
        where = tuple(Filter(column=name, value=value) for name, value in wanted.items() if value is not None)
        order = (Order(column="time_ns", descending=True),)
        return await workspace.traces.scores(Question(source="scores", where=where, order=order, limit=limit))
