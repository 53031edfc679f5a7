"""Run by Alembic, in the transaction that ``schema.migrate`` has begun and will commit."""

from __future__ import annotations

from alembic import context

# Alembic leaves a transaction that it finds open alone, so all steps and the new revision are committed together.
context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
