"""The import rule: which room may import which. The allow-list only shrinks."""

import ast
from functools import cache
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src" / "noria"

pytestmark = pytest.mark.untraced  # it reads Noria's sources and runs none

RULE: dict[str, set[str]] = {
    "core": set(),
    "wires": {"core"},
    "stores": {"core"},
    "engines": {"core"},
    "scorers": {"core"},
    "guards": {"core"},
    "adapt": {"core"},
    "evaluate": {"core"},
    "monitor": {"core"},
    "bridges": {"core"},
    "sdk": {"core"},
    "targets": {"core", "wires"},
    "settings": {"core"},
    "assemble": {
        "core", "settings", "wires", "stores", "engines", "scorers", "guards", "adapt", "evaluate", "monitor", "bridges", "targets",
    },
    "serve": {"core", "wires", "settings", "assemble"},
    "cli": {"core", "wires", "settings", "assemble", "serve"},
}  # fmt: skip

EXCEPTIONS: set[tuple[str, str]] = set()
"""(file, imported module) pairs that break the rule for now. May shrink, never grow."""


def module_of(path: Path) -> str:
    parts = path.relative_to(SRC.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for path in SRC.rglob("*.py")}


@cache
def imports(module: str) -> set[str]:
    """Noria modules that ``module`` imports, anywhere in it: lazily and for types too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} uses a relative import; this code base writes them out"
            origin = node.module or ""
            found |= {name if (name := f"{origin}.{alias.name}") in FILES else origin for alias in node.names}
    return {name for name in found if name.split(".")[0] == "noria" and name != module}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("module", sorted(FILES))
def test_rooms_import_only_what_they_may(module: str) -> None:
    here = room(module)
    if not here or here == "__main__":
        return
    assert here in RULE, f"{here} is no room of the architecture"
    for imported in imports(module):
        there = room(imported)
        if there in {"", here} or (module, imported) in EXCEPTIONS:
            continue
        assert there in RULE[here], f"{module} imports {imported}: {here} may import {sorted(RULE[here])}"


def test_there_are_no_cycles() -> None:
    graph = {module: {name for name in imports(module) if name in FILES} for module in FILES}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, "import cycle: " + " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for imported in sorted(graph[module]):
                visit(imported, (*path, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_the_allow_list_holds_nothing_stale() -> None:
    assert all(imported in imports(module) for module, imported in EXCEPTIONS)
