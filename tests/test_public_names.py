"""The names that other people's code may rely on: nouns, protocols, errors, and what a plug-in scorer is made of.

Removing or renaming one breaks somebody, so it has to be done here too, knowingly, and told in the CHANGELOG.
"""

import ast
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
        imported = imports(inspect.getsource(module))
        own = [name for name in vars(module) if not name.startswith("_") and name not in imported]
        found += [f"{module_name}.{name}" for name in getattr(module, "__all__", own)]
    return sorted(found)


def imports(source: str) -> set[str]:
    """Names that a module has from elsewhere."""
    statements = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {(alias.asname or alias.name).partition(".")[0] for node in statements for alias in node.names}


def test_public_names_change_knowingly() -> None:
    assert public_names() == PINNED.read_text().split(), f"update {PINNED.name} if this is meant"


if __name__ == "__main__":
    PINNED.write_text("\n".join(public_names()) + "\n")
