"""The REST API under ``/api``: one file a noun, published as OpenAPI at ``/api/openapi.json``."""
