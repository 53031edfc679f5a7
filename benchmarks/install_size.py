"""How much an install weighs, and which packages weigh most.

    python benchmarks/install_size.py [--fresh] [--json]

Without ``--fresh`` it adds up the files of every package of ``requirements/base.txt`` and ``requirements/demo.txt``
that this environment has: a second's work, bytecode included where it was compiled, pip not. With ``--fresh`` it builds
two new virtual environments from the locks (hashes checked, nothing resolved) and Noria itself, as ``make`` does, and
measures the time and the disk space of the whole folder, as ``du`` counts it; that takes some minutes and a network.
Targets: base < 350 MB, demo < 600 MB with the 98 MB model, which is fetched when the demo runs and added here.
"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tempfile
import time
from importlib.metadata import Distribution
from pathlib import Path

from report import Report, arguments

ROOT = Path(__file__).resolve().parent.parent
TARGETS_MB = {"base": 350.0, "demo": 600.0}
MODEL_MB = 98.4
HEAVIEST = 12


def locked(lock: Path) -> set[str]:
    """Names of a lock's packages, as they compare equal."""
    return {_plain(name) for name in re.findall(r"^([\w.-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE)}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def disk_bytes(path: Path) -> int:
    """Disk space of one file or a whole folder, in the blocks that it takes."""
    files = [path] if path.is_file() else [found for found in path.rglob("*") if not found.is_symlink()]
    return sum(512 * file.lstat().st_blocks for file in files if file.exists())


def weights(where: list[str] | None = None) -> dict[str, float]:
    """Megabytes of each installed package; ``where`` is a list of folders like ``sys.path``."""
    found = importlib.metadata.distributions(path=where) if where else importlib.metadata.distributions()
    return {_plain(one.metadata["Name"]): _bytes_of(one) / 1e6 for one in found}


def _bytes_of(distribution: Distribution) -> int:
    places = {Path(str(distribution.locate_file(file))) for file in distribution.files or []}
    compiled = {
        cached
        for place in places
        if place.suffix == ".py"
        for cached in (place.parent / "__pycache__").glob(f"{place.stem}.*.pyc")
    }
    return sum(disk_bytes(place) for place in places | compiled)


def show_heaviest(name: str, packages: dict[str, float], *, as_json: bool) -> None:
    """The packages that weigh most."""
    table = Report(f"The heaviest packages of the {name} install", ["package", "MB"], as_json=as_json)
    for package, megabytes in sorted(packages.items(), key=lambda item: -item[1])[:HEAVIEST]:
        table.add(package, megabytes)
    table.end()


def build(lock: Path, folder: Path) -> float:
    """Install a lock and Noria into a new environment; seconds."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-qq", "install", "--no-deps"]
    subprocess.run([*pip, "--require-hashes", "--prefer-binary", "-r", str(lock)], check=True)
    subprocess.run([*pip, "--no-build-isolation", str(ROOT)], check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--fresh", action="store_true", help="build new environments; some minutes")
    given = parser.parse_args()
    here = {} if given.fresh else weights()
    title = "Install size, of new environments" if given.fresh else "Install size, of this environment's packages"
    report = Report(title, ["install", "target MB", "MB", "with model MB", "seconds"], as_json=given.json)
    heaviest: dict[str, dict[str, float]] = {}
    for name, target in TARGETS_MB.items():
        lock = ROOT / "requirements" / f"{name}.txt"
        model = MODEL_MB if name == "demo" else 0.0
        if given.fresh:
            with tempfile.TemporaryDirectory(prefix="noria-bench-") as folder:
                seconds = build(lock, Path(folder))
                total = disk_bytes(Path(folder)) / 1e6
                heaviest[name] = weights([str(path) for path in Path(folder).glob("lib/python*/site-packages")])
            report.add(name, target, total, total + model, seconds)
        else:
            heaviest[name] = {package: size for package, size in here.items() if package in locked(lock)}
            missing = locked(lock) - here.keys()
            total = sum(heaviest[name].values())
            report.add(name, target, total, total + model, None)
            report.note(
                f"{name}: {len(missing)} locked packages are not installed here ({', '.join(sorted(missing))})."
            )
    report.end()
    for name, packages in heaviest.items():
        show_heaviest(name, packages, as_json=given.json)


if __name__ == "__main__":
    main()
