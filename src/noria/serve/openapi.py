"""The OpenAPI document: the nouns as JSON Schemas, described by the line under each field.

Litestar's own reading of msgspec structs stops at a default that holds a dictionary (2.25), and shows no field's
docstring.
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from litestar import Request
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Reference, Schema, SecurityScheme
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition

if TYPE_CHECKING:
    from litestar._openapi.schema_generation import SchemaCreator


def openapi_config(version: str) -> OpenAPIConfig:
    """Serve the document at ``/openapi.json`` of the API."""
    return OpenAPIConfig(
        title="Noria",
        version=version,
        description="Every call becomes a record; every record can be judged; every judgement can change what ships.",
        path="/openapi.json",  # not "/": below its path Litestar answers unknown names with an HTML page
        render_plugins=[_WithErrors(path="/")],
        use_handler_docstrings=True,
        security=[{"key": []}],
        components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
    )


class _WithErrors(JsonRenderPlugin):
    """The document with the errors as Noria sends them; Litestar describes its own."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The document as JSON."""
        refusal = {"description": "What was wrong, what was kept, what to do next.", "content": _ERROR_CONTENT}
        for methods in openapi_schema["paths"].values():
            for operation in methods.values():
                operation["responses"].pop("400", None)
                operation["responses"] |= {"4XX": refusal, "5XX": refusal}
        return super().render(request, openapi_schema)


_TEXT = {"type": "string"}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "kept", "hint"],
            "properties": {"code": _TEXT, "message": _TEXT, "kept": _TEXT, "hint": _TEXT},
        }
    },
}
_ERROR_CONTENT = {"application/json": {"schema": _ERROR}}


class NounSchemas(OpenAPISchemaPlugin):
    """Schemas of msgspec structs."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Structs alone; unions of them are taken apart by Litestar first."""
        return not field_definition.is_union and field_definition.is_subclass_of(msgspec.Struct)

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: SchemaCreator) -> Schema:
        """The schema of one struct, kept among the document's components."""
        struct: type[msgspec.Struct] = field_definition.annotation
        hints = field_definition.get_type_hints(include_extras=True, resolve_generics=True)
        properties = {
            field.encode_name: FieldDefinition.from_annotation(annotation=hints[field.name], name=field.encode_name)
            for field in msgspec.structs.fields(struct)
        }
        required = [field.encode_name for field in msgspec.structs.fields(struct) if field.required]
        config = struct.__struct_config__
        if config.tag_field is not None:
            properties[config.tag_field] = FieldDefinition.from_annotation(Literal[config.tag])
            required.append(config.tag_field)
        schema = schema_creator.create_component_schema(
            field_definition, required=sorted(required), property_fields=properties
        )
        schema.description = inspect.getdoc(struct)
        docs = field_docs(struct)
        for name, found in (schema.properties or {}).items():
            if isinstance(found, Reference | Schema):  # in place: Litestar renames references when all are known
                found.description = docs.get(name)
        return schema


@functools.cache
def field_docs(struct: type) -> Mapping[str, str]:
    """The string under each field of a class, by the field's name."""
    [tree] = ast.parse(textwrap.dedent(inspect.getsource(struct))).body
    if not isinstance(tree, ast.ClassDef):
        return {}
    found: dict[str, str] = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                found[name] = inspect.cleandoc(said)
    return found
