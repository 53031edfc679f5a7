"""Which prompts a key may read that calls apps: its applications render them themselves."""

from __future__ import annotations

from noria.core.errors import NotAllowed
from noria.core.keys import EVERYTHING, Key
from noria.stores.catalogue import Catalogue


def check_prompt_open(catalogue: Catalogue, key: Key | None, name: str) -> None:
    """Refuse a prompt that a key does not open: one that is neither used by a variant of its apps, nor named as they are.

    The admin key, a key that may look at everything, and one that is not narrowed down open all prompts.

    Raises:
        NotAllowed: it does not, whether there is such a prompt or not.
    """
    if (
        key is None
        or key.may("read")
        or key.apps == key.models == EVERYTHING
        or ("/" not in name and key.may_call(name))
    ):
        return
    used = {
        variant.variant.prompt_id
        for app in catalogue.apps.list()
        if key.may_call(app.name)
        for variant in app.variants
        if variant.variant.prompt_id is not None
    }
    names = {version.name for prompt_id in used for version in catalogue.prompts.find(prompt_id)}
    if name not in names:
        raise NotAllowed(
            f"The key {key.name!r} does not open the prompt {name[:80]!r}: no app uses it that the key opens.",
            status=403,
        )
