"""Two ways to run the command line: in this process (fast), and as the real program."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from noria.cli.main import commands

PROGRAM = str(Path(sys.executable).with_name("noria"))

TRIAGE = """---
name: triage
variables: {text: string}
---
# user
How is it? {{ text }}
"""


def write_project(folder: Path, *, cases: int = 6, variants: Sequence[str] = ("plain",), **more: Any) -> Path:
    """An evaluation of some cases about good and bad, and the files it names; more keys of the file can be given."""
    folder.mkdir(exist_ok=True)
    (folder / "triage.md").write_text(TRIAGE)
    (folder / "short.md").write_text(TRIAGE.replace("How is it?", "Judge:"))
    rows = [
        {
            "id": str(i),
            "input": {"text": f"case {i} is {'good' if i % 2 else 'bad'}"},
            "reference": "positive" if i % 2 else "negative",
        }
        for i in range(cases)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    prompts = {"plain": "triage.md", "short": "short.md"}
    said = {
        "name": "triage-check",
        "dataset": {"path": "rows.jsonl"},
        "variants": [{"name": name, "model": "fake/small", "prompt": prompts[name]} for name in variants],
        "scorers": [{"kind": "exact", "name": "accuracy"}],
        "concurrency": 2,
        **more,
    }
    path = folder / "eval.yaml"
    path.write_text(json.dumps(said, indent=1))  # JSON is YAML
    return path


class Noria:
    """The command line with a data folder and an environment of its own."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.environ = dict(environ)

    def here(
        self, *arguments: str | Path, environ: Mapping[str, str] | None = None, input: str | None = None
    ) -> Result:
        """Run in this process; fails on an exception that is no exit."""
        settings = {name: None for name in os.environ if name.startswith("NORIA_")}
        env = settings | {"COLUMNS": "120"} | self._environ(environ)
        result = CliRunner().invoke(commands, [str(one) for one in arguments], env=env, prog_name="noria", input=input)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, *arguments: str | Path) -> Any:
        """Run in this process with ``--json``; what it printed."""
        result = self.here(*arguments, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    def start(self, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
        """Start the real program; ``measured=False`` keeps the measuring of coverage out of it."""
        environ = options.pop("environ", None)
        left_out = ("NORIA_",) if options.pop("measured", True) else ("NORIA_", "COVERAGE_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        return subprocess.Popen(
            [PROGRAM, *map(str, arguments)],
            env=inherited | self._environ(environ),
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the real program to its end."""
        with self.start(*arguments, **options) as process:
            out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def _environ(self, environ: Mapping[str, str] | None) -> dict[str, str]:
        return {"NORIA_DATA": str(self.folder), **self.environ, **(environ or {})}
