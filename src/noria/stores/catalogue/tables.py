"""The tables. A noun's JSON text is in ``body``; the other columns are what it is looked up by.

What changes is never overwritten but appended to: the newest row of ``label_moves``, ``app_variants`` and ``releases``
(the highest ``seq``) is in force, the older ones are the history. The database itself refuses to change or remove rows
of ``audit_log``, by triggers that its migration makes. Overwritten are only numbers that change with every call:
``key_uses``, ``limit_counters`` and ``limit_leases``; the audit log tells nothing of them.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

prompts = Table(
    "prompts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

prompt_versions = Table(
    "prompt_versions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("prompt_id", Text, ForeignKey("prompts.id"), nullable=False),
    Column("note", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    UniqueConstraint("name", "prompt_id", name="one_version_per_content"),
    Index("prompt_versions_by_prompt", "prompt_id"),
)

label_moves = Table(
    "label_moves",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("moved_ns", BigInteger, nullable=False),
    Column("moved_by", Text, nullable=False),
    ForeignKeyConstraint(["name", "version"], ["prompt_versions.name", "prompt_versions.version"]),
    Index("label_moves_by_name", "name", "label"),
    sqlite_autoincrement=True,
)

apps = Table(
    "apps",
    metadata,
    Column("name", Text, primary_key=True),
    Column("description", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
)

variants = Table(
    "variants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

app_variants = Table(
    "app_variants",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("app", Text, ForeignKey("apps.name"), nullable=False),
    Column("name", Text, nullable=False),
    Column("variant_id", Text, ForeignKey("variants.id"), nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Index("app_variants_by_name", "app", "name"),
    sqlite_autoincrement=True,
)

releases = Table(
    "releases",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("app", Text, ForeignKey("apps.name"), nullable=False),
    Column("body", Text, nullable=False),
    Index("releases_by_app", "app"),
    sqlite_autoincrement=True,
)

models = Table(
    "models",
    metadata,
    Column("name", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("models_by_weights", "sha256"),
)

datasets = Table(
    "datasets",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("id", "name", name="one_data_set_per_name"),
    Index("datasets_by_name", "name"),
    sqlite_autoincrement=True,
)

experiments = Table(
    "experiments",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("spec_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("app", Text),
    Column("status", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("experiments_by_spec", "spec_id"),
    Index("experiments_by_time", "created_ns"),
    sqlite_autoincrement=True,
)

monitors = Table(
    "monitors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("app", Text, ForeignKey("apps.name"), nullable=False),
    Column("body", Text, nullable=False),
    Index("monitors_by_app", "app"),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("audit_log_by_subject", "subject"),
)

retention = Table(
    "retention",
    metadata,
    Column("app", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

receipts = Table(
    "receipts",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("body", Text, nullable=False),
    sqlite_autoincrement=True,
)

keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("hashes", Text, nullable=False),
    Index("keys_by_name", "name"),
    Index("keys_by_change", "changed"),
)

key_uses = Table(
    "key_uses",
    metadata,
    Column("id", Text, ForeignKey("keys.id"), primary_key=True),
    Column("used_ns", BigInteger, nullable=False),
)

limits = Table(
    "limits",
    metadata,
    Column("name", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

limit_counters = Table(
    "limit_counters",
    metadata,
    Column("counter", Text, primary_key=True),
    Column("starts_ns", BigInteger, primary_key=True),
    Column("ends_ns", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Index("limit_counters_by_end", "ends_ns"),
)

limit_leases = Table(
    "limit_leases",
    metadata,
    Column("counter", Text, primary_key=True),
    Column("starts_ns", BigInteger, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("granted", BigInteger, nullable=False),
    Column("until_ns", BigInteger, nullable=False),
    Index("limit_leases_by_until", "until_ns"),
)
