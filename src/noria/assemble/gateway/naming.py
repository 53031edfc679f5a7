"""How settings speak of what is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def names_for(name: str, aliases: Mapping[str, str]) -> Iterator[str]:
    """Names in settings that mean calls of ``name``, the most exact first.

    An alias is what it stands for, ``app@variant`` is ``app`` too, ``provider/model`` is ``provider/*``, and everything is ``*``.
    """
    while name in aliases:
        yield name
        name = aliases[name]
    yield name
    app, at, _ = name.partition("@")
    if "/" in name:
        yield f"{name.partition('/')[0]}/*"
    elif at:
        yield app
    yield "*"
