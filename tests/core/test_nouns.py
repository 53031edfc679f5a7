"""Conventions of every noun, so that a new one can't forget them."""

import ast
import importlib
import inspect
import pkgutil

import msgspec
import pytest

import noria.core
from noria.core.messages import TextPart
from noria.core.spans import Span
from noria.core.struct import Noun, spelt_out

MODULES = [importlib.import_module(f"noria.core.{info.name}") for info in pkgutil.iter_modules(noria.core.__path__)]
NOUNS = sorted(
    {item for module in MODULES for item in vars(module).values() if inspect.isclass(item) and issubclass(item, Noun)}
    - {Noun},
    key=lambda item: item.__name__,
)


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_every_field_has_its_line(noun: type[Noun]) -> None:
    [tree] = ast.parse(inspect.getsource(noun)).body
    assert isinstance(tree, ast.ClassDef)
    body = tree.body
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign):
            documented = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            assert documented, f"{noun.__name__}.{ast.unparse(statement.target)} lacks its line"


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_nouns_are_immutable(noun: type[Noun]) -> None:
    config = noun.__struct_config__
    assert config.frozen
    assert config.omit_defaults


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_nouns_have_a_json_schema(noun: type[Noun]) -> None:
    assert msgspec.json.schema(noun)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_core_reads_no_clock_and_does_no_io(module: object) -> None:
    source = ast.parse(inspect.getsource(module))
    imported = {
        name.split(".")[0]
        for node in ast.walk(source)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not imported & {
        "time",
        "datetime",
        "os",
        "io",
        "socket",
        "random",
        "secrets",
        "pathlib",
        "asyncio",
        "logging",
    }


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_spelt_out_names_every_field_and_reads_back(noun: type[Noun]) -> None:
    required = {field.name for field in msgspec.structs.fields(noun) if field.required}
    if required:
        return
    spelt = spelt_out(noun())
    assert set(noun.__struct_encode_fields__) <= set(spelt)
    assert msgspec.json.decode(msgspec.json.encode(spelt), type=noun) == noun()


def test_spelt_out_goes_into_lists_mappings_and_tags() -> None:
    span = Span(trace_id="t", span_id="s", name="n", start_ns=0, end_ns=1, attributes={"a": [1]})
    spelt = spelt_out({"spans": [span], "parts": (TextPart(text="x"),)})
    assert spelt["spans"][0]["status"] == "ok"
    assert spelt["spans"][0]["lineage"]["app"] is None
    assert spelt["parts"] == [{"type": "text", "text": "x", "citations": [], "cache": None}]
