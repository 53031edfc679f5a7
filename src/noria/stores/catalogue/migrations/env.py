"""Run by Alembic, in the transaction that ``schema.migrate`` has begun and will commit."""

from __future__ import annotations

from alembic import context

# Alembic takes SQLite for a database without transactional DDL; it has it, once Python's driver keeps out of the way.
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
