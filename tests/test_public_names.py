"""The names that other people's code may rely on: nouns, protocols, errors, and what a plug-in scorer is made of.

Removing or renaming one breaks somebody, so it has to be done here too, knowingly, and told in the CHANGELOG.
"""

import importlib
import inspect
import pkgutil
from pathlib import Path

import noria.core

PINNED = Path(__file__).parent / "public_names.txt"
MODULES = [
    *(f"noria.core.{info.name}" for info in pkgutil.iter_modules(noria.core.__path__)),
    "noria.scorers.kind",
    "noria.settings",
]


def public_names() -> list[str]:
    found = []
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name, item in vars(module).items():
            defined_here = getattr(item, "__module__", module_name) == module_name
            if not name.startswith("_") and defined_here and not inspect.ismodule(item) and name != "annotations":
                found.append(f"{module_name}.{name}")
    return sorted(found)


def test_public_names_change_knowingly() -> None:
    assert public_names() == PINNED.read_text().split(), f"update {PINNED.name} if this is meant"


if __name__ == "__main__":
    PINNED.write_text("\n".join(public_names()) + "\n")
