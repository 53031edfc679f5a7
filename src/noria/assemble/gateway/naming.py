"""How settings speak of what is called."""

from __future__ import annotations

from collections.abc import Iterator


def names_for(name: str) -> Iterator[str]:
    """Names in settings that mean calls of ``name``, the most exact first.

    ``app@variant`` is ``app`` too, ``provider/model`` is ``provider/*``, and everything is ``*``.
    """
    yield name
    app, at, _ = name.partition("@")
    if "/" in name:
        yield f"{name.partition('/')[0]}/*"
    elif at:
        yield app
    yield "*"
