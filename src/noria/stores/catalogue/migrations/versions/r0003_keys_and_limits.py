"""Virtual keys, and limits with what is used of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("hashes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("keys_by_name", "keys", ["name"], unique=False)
    op.create_index("keys_by_change", "keys", ["changed"], unique=False)
    op.create_table(
        "key_uses",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("used_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["keys.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "limits",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "limit_counters",
        sa.Column("counter", sa.Text(), nullable=False),
        sa.Column("starts_ns", sa.BigInteger(), nullable=False),
        sa.Column("ends_ns", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("counter", "starts_ns"),
    )
    op.create_index("limit_counters_by_end", "limit_counters", ["ends_ns"], unique=False)
    op.create_table(
        "limit_leases",
        sa.Column("counter", sa.Text(), nullable=False),
        sa.Column("starts_ns", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.Column("until_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("counter", "starts_ns", "holder"),
    )
    op.create_index("limit_leases_by_until", "limit_leases", ["until_ns"], unique=False)
