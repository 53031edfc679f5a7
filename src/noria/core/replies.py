"""A whole answer of a model, as it is kept and read."""

from __future__ import annotations

from typing import Any

from noria.core.messages import Message
from noria.core.struct import Noun


class Usage(Noun):
    """Tokens of one call, as the provider counted them."""

    input_tokens: int
    """Prompt tokens, cached ones included."""
    output_tokens: int
    """Generated tokens, reasoning included."""
    cached_tokens: int | None = None
    """Prompt tokens that were read from the provider's cache."""
    cache_write_tokens: int | None = None
    """Prompt tokens that were written into the provider's cache, which some charge more for."""
    reasoning_tokens: int | None = None
    """Generated tokens that were thinking."""


class Ranked(Noun, tag="ranked", tag_field="event"):
    """The relevance of one document; the best comes first. It comes as an event and stays as it is in the reply."""

    index: int
    """Which document, from 0, in the caller's order."""
    score: float
    """Relevance as the model counts it."""


class Choice(Noun):
    """One of the answers of a reply."""

    message: Message
    """What the model said."""
    finish_reason: str | None = None
    """Why it stopped; None when it was cut off."""
    sequence: str | None = None
    """The stop sequence that ended it, where the provider says which."""
    logprobs: dict[str, Any] | None = None
    """Token log-probabilities in the OpenAI wire's shape."""


class Reply(Noun):
    """A whole answer: the fold of its events."""

    id: str = ""
    """The provider's id."""
    model: str = ""
    """The model that answered."""
    choices: tuple[Choice, ...] = ()
    """The answers, usually one."""
    usage: Usage | None = None
    """Tokens, where the provider counted."""
    vectors: tuple[tuple[float, ...], ...] = ()
    """Embeddings, in the order of the inputs."""
    ranking: tuple[Ranked, ...] = ()
    """Documents by relevance, the best first."""
    counted: int | None = None
    """Tokens of the prompt, where only that was asked."""

    @property
    def text(self) -> str:
        """The first choice's text; empty when there is none."""
        return self.choices[0].message.text if self.choices else ""

    @property
    def complete(self) -> bool:
        """True when every choice has a finish reason, or vectors, a ranking or a count have come."""
        for choice in self.choices:
            if choice.finish_reason is None:
                return False
        return bool(self.choices or self.vectors or self.ranking) or self.counted is not None
