"""References as texts, and the normalisations under which texts count as the same."""

from __future__ import annotations

import re
import string
from typing import Any

from noria.core.errors import InvalidInput
from noria.core.identity import canonical

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.IGNORECASE)
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def as_text(value: Any) -> str:
    """A reference as text: text as it is, everything else as compact JSON (``true``, ``42``, ``{"a":1}``)."""
    return value if isinstance(value, str) else canonical(value).decode()


def alternatives(reference: Any) -> tuple[str, ...]:
    """The texts of which any one is right: a list gives one each, anything else is the only one.

    Raises:
        InvalidInput: the list is empty, so nothing could be right.
    """
    if not isinstance(reference, list | tuple):
        return (as_text(reference),)
    if not reference:
        raise InvalidInput("The reference is an empty list, so no answer could be right.", hint="Correct the case.")
    return tuple(as_text(item) for item in reference)


def normalised(
    text: str,
    *,
    ignore_case: bool = False,
    strip: bool = False,
    ignore_punctuation: bool = False,
    ignore_articles: bool = False,
) -> str:
    """``text`` without what is to be ignored, in the order of SQuAD's evaluation script.

    Removing punctuation (ASCII) or articles (a, an, the) also makes one space of every run of white space, because the
    removal leaves holes.
    """
    if ignore_case:
        text = text.lower()
    if ignore_punctuation:
        text = text.translate(_NO_PUNCTUATION)
    if ignore_articles:
        text = _ARTICLES.sub(" ", text)
    if ignore_punctuation or ignore_articles:
        return " ".join(text.split())
    return text.strip() if strip else text


def squad(text: str) -> str:
    """SQuAD's normalisation: lower case, no punctuation, no articles, single spaces.

    Source: Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250, ``evaluate-v1.1.py``.
    """
    return normalised(text, ignore_case=True, ignore_punctuation=True, ignore_articles=True)


def shown(text: str, limit: int = 80) -> str:
    """``text`` quoted and cut for a reason or an error."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
