"""``noria demo``: once round the loop, on this machine, with a real model and real data.

command.py    the command: a server in this process, the phases in order
example.py    where the example lies
phases.py     one function a phase; each does what a person would do with the API
report.py     how the demo speaks
"""

from noria.cli.demo.command import demo

__all__ = ["demo"]
