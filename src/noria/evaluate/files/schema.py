"""The JSON Schema of the evaluation file, for editors: made from the structs, so that it cannot fall behind them.

Editors with a YAML language server use it where the file's first line names it::

    # yaml-language-server: $schema=https://.../eval.schema.json
"""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from collections.abc import Mapping
from typing import Any

import msgspec

from noria.core.requests import Parameters
from noria.evaluate.files.datasets import Source
from noria.evaluate.files.evalfile import EvalFile, VariantEntry

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_STRUCTS: tuple[type[msgspec.Struct], ...] = (EvalFile, Source, VariantEntry, Parameters)


def eval_schema(scorers: Mapping[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """The schema as JSON-like builtins.

    Arguments:
        scorers: JSON Schema of each kind's options, by kind; without it any kind with any options is allowed.
    """
    (root,), definitions = msgspec.json.schema_components([EvalFile], ref_template="#/$defs/{name}")
    for struct in _STRUCTS:
        definition = definitions[struct.__name__]
        definition["additionalProperties"] = False
        for name, text in field_docs(struct).items():
            definition["properties"][name] = {"description": text, **definition["properties"][name]}
    if scorers:
        items = definitions[EvalFile.__name__]["properties"]["scorers"]
        items["items"] = {"anyOf": [_short(scorers), *(_long(kind, options) for kind, options in scorers.items())]}
    return {"$schema": DIALECT, "title": "Noria evaluation file", **root, "$defs": definitions}


def field_docs(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The line under each field of a struct, read from its source."""
    [tree] = ast.parse(textwrap.dedent(inspect.getsource(struct))).body
    found: dict[str, str] = {}
    statements = tree.body if isinstance(tree, ast.ClassDef) else []
    for field, text in itertools.pairwise(statements):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(doc))):
                found[name] = " ".join(doc.replace("``", "`").split())
    return found


def _short(scorers: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """A kind alone; one with required options cannot be written so."""
    return {"enum": [kind for kind, options in scorers.items() if not options.get("required")]}


def _long(kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """A kind with its options beside ``kind`` and ``name``."""
    properties = {
        "kind": {"const": kind, "description": options.get("description", "How to judge.")},
        "name": {"type": "string", "description": "Name of its scores in this experiment; by default the kind."},
        **options.get("properties", {}),
    }
    return {
        "type": "object",
        "title": kind,
        "properties": properties,
        "required": ["kind", *options.get("required", ())],
        "additionalProperties": False,
    }
