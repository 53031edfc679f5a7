"""Replies as providers document them, one file each: ``recorded/<wire>/<feature>.json`` whole, ``.sse`` streamed."""

from pathlib import Path

FOLDER = Path(__file__).parent / "recorded"


def recorded(name: str) -> bytes:
    """The bytes of a recorded reply, such as ``cohere/tools.sse``."""
    return (FOLDER / name).read_bytes()


def features(wire: str, suffix: str) -> list[str]:
    """The features that a wire has recorded replies of."""
    return sorted(path.stem for path in (FOLDER / wire).glob(f"*.{suffix}"))
