"""How the demo speaks: a heading for each phase, plain sentences between."""

from __future__ import annotations

import time

from rich.rule import Rule
from rich.text import Text

from noria.cli.command import Console


class Report:
    """Prints the demo's way, and keeps the time."""

    def __init__(self, console: Console) -> None:
        self.console = console
        """Where everything is printed."""
        self._start = time.monotonic()

    def phase(self, number: int, name: str, purpose: str) -> None:
        """Begin a phase."""
        title = Text.assemble((f"{number} · {name}", "bold cyan"), (f"  {purpose}  {self.elapsed_s:.0f} s", "dim"))
        self.console.print("", Rule(title, align="left", style="dim"))

    def say(self, *sentences: str) -> None:
        """Plain sentences."""
        self.console.print(" ".join(sentences))

    def command(self, *lines: str) -> None:
        """What a person would have typed for this."""
        for line in lines:
            self.console.print(Text(f"  $ {line}", "dim"))

    def decision(self, sentence: str) -> None:
        """What was decided."""
        self.console.print(Text(f"→ {sentence}", "bold green"))

    @property
    def elapsed_s(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._start
