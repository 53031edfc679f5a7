"""Catalogues as released versions of Noria wrote them, kept as SQL, with everything that was in them.

Before a migration is added, the version that is still without it writes its folder here:

    python tests/stores/released/catalogues.py postgresql://USER@HOST/EMPTY_DATABASE

Folders of released versions are never changed afterwards.
"""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from noria.core.apps import Share, Variant
from noria.core.datasets import Dataset
from noria.core.experiments import Experiment, ExperimentSpec, ExperimentVariant, Run
from noria.core.models import EngineOptions, LocalModel
from noria.core.monitors import Monitor
from noria.core.prompts import Block, Prompt, Variable
from noria.core.requests import Parameters
from noria.core.results import Results
from noria.core.scores import ScorerSpec
from noria.stores.catalogue import Catalogue

HERE = Path(__file__).parent
VERSIONS = sorted(path.name for path in HERE.iterdir() if (path / "sqlite.json").is_file())
"""Revisions of the tables that a released version wrote."""
HOSTILE = 'it\'s "quoted"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s'
"""Text that a careless copy would spoil."""


def fill(catalogue: Catalogue) -> None:
    """One of everything, and two where order or history matters."""
    hi = Prompt(
        blocks=(Block(role="system", template=HOSTILE), Block(role="user", template="{{ text }}")),
        variables={"text": Variable(description="what to sort")},
        examples=({"text": "a\u2028b"},),
    )
    for number, prompt in enumerate((hi, Prompt(blocks=(Block(role="user", template="again {{ text }}"),)))):
        version, _ = catalogue.prompts.push("greet", prompt, by="ada", note=f"{HOSTILE} {number}")
        catalogue.prompts.label("greet", "production", str(version.version), by="grace")
    catalogue.models.put(
        LocalModel(name="tiny", sha256="a" * 64, size=2**40, source="file:tiny", options=EngineOptions(context=512))
    )
    catalogue.apps.put("boolq", HOSTILE)
    catalogue.apps.put("empty")
    for name, temperature in (("plain", 0.0), ("wild", 1.5)):
        variant = Variant(model="up/small", prompt_id=hi.id, params=Parameters(temperature=temperature, stop=("\n",)))
        named = catalogue.apps.add_variant("boolq", name, variant, by="ada")
        catalogue.apps.release("boolq", [Share(variant_id=named.variant_id, weight=0.3)], by="ada", reason=HOSTILE)
    catalogue.apps.roll_back("boolq", by="grace", reason="too wild")
    exact = ScorerSpec(kind="exact", name="exact", options={"strip": True, "deep": [{"a": None}, 1.5, 2**53]})
    catalogue.monitors.put(Monitor(name="watch", app="boolq", scorer=exact, rate=0.25, created_by="ada"))
    for id, name in (("dataset_" + "1" * 32, "BoolQ, dev"), ("dataset_" + "2" * 32, "BoolQ, dev")):
        catalogue.datasets.put(Dataset(id=id, name=name, size=3, blob="f" * 64, columns=("text",)))
    spec = ExperimentSpec(
        name="boolq", dataset_id="dataset_" + "1" * 32, baseline="plain", scorers=(exact,),
        variants=(ExperimentVariant(name="plain", variant=Variant(model="local/tiny"), label="greet@1"),),
    )  # fmt: skip
    runs = (Run(id="run_1", variant_name="plain", variant_id=Variant(model="local/tiny").id),)
    done = Experiment(
        id="experiment_1", spec=spec, runs=runs, status="finished", created_ns=2**62, app="boolq",
        environment={"python": "3.11", "note": HOSTILE}, results=Results(runs=(), wall_s=0.1),
    )  # fmt: skip
    catalogue.experiments.save(done)
    catalogue.experiments.save(
        msgspec.structs.replace(done, id="experiment_2", status="interrupted", created_ns=5, app=None, results=None)
    )


def nouns(catalogue: Catalogue) -> Any:
    """Everything that :func:`fill` wrote, as the catalogue gives it back."""
    apps = [app.name for app in catalogue.apps.list()]
    names = [version.name for version in catalogue.prompts.list()]
    found = {
        "prompts": {name: catalogue.prompts.history(name) for name in names},
        "labels": {name: catalogue.prompts.label_history(name) for name in names},
        "apps": catalogue.apps.list(),
        "releases": {name: catalogue.apps.releases(name) for name in apps},
        "models": catalogue.models.list(),
        "datasets": catalogue.datasets.list(),
        "experiments": catalogue.experiments.list(),
        "monitors": catalogue.monitors.list(),
    }
    return msgspec.json.decode(msgspec.json.encode(found))


def expected(version: str, url: str) -> Any:
    """What the released version gave back."""
    return msgspec.json.decode((HERE / version / f"{_kind(url)}.json").read_bytes())


def restore(version: str, url: str) -> None:
    """Write a released version's database into an empty one."""
    script = (HERE / version / f"{_kind(url)}.sql").read_text(encoding="utf-8")
    if _kind(url) == "sqlite":
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(script)
        return
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(script.encode())


def write(postgres: str) -> None:
    """Keep what this version of Noria writes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "catalogue.sqlite"
        to = _write_nouns(f"sqlite:///{file}")
        with closing(sqlite3.connect(file)) as connection:
            (to / "sqlite.sql").write_text("\n".join(connection.iterdump()) + "\n", encoding="utf-8")
    _write_nouns(postgres)
    options = ["--inserts", "--no-owner", "--no-privileges", "--no-comments", "--no-sync"]
    dump = subprocess.run(["pg_dump", *options, postgres], capture_output=True, text=True, check=True).stdout
    # psql's own commands, and a search path that would outlive the script, are no part of the database.
    kept = [line for line in dump.split("\n") if not line.startswith(("\\", "SELECT pg_catalog.set_config", "SET "))]
    (to / "postgres.sql").write_text("\n".join(kept), encoding="utf-8")


def _write_nouns(url: str) -> Path:
    ticks = itertools.count(1_764_000_000_000_000_000)
    with Catalogue.open(url, now=lambda: next(ticks)) as catalogue:
        fill(catalogue)
        to, found = HERE / catalogue.schema_version, nouns(catalogue)
    to.mkdir(exist_ok=True)
    (to / f"{_kind(url)}.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    return to


def _kind(url: str) -> str:
    return "sqlite" if url.startswith("sqlite") else "postgres"


if __name__ == "__main__":
    write(sys.argv[1])
