"""Rules for every test: in CI nothing may be skipped, and no test reaches beyond this machine."""

import os
import socket
from typing import Any

import pytest


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name what was skipped."""
    for report in terminalreporter.stats.get("skipped", []):
        terminalreporter.write_line(f"skipped: {report.nodeid}: {report.longrepr[-1]}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share something heavy run on one worker: engines would fight for the cores."""
    for item in items:
        for heavy in ("model", "postgres", "browser"):
            if item.get_closest_marker(heavy):
                item.add_marker(pytest.mark.xdist_group(heavy))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a skipped test is a failed run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and exitstatus == 0 and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


_connect = socket.socket.connect


def _loopback_only(self: socket.socket, address: Any) -> None:
    host = address[0] if isinstance(address, tuple) else ""
    if host not in {"", "127.0.0.1", "::1", "localhost"}:
        message = f"A test tried to reach {host}; tests talk to this machine alone."
        raise AssertionError(message)
    _connect(self, address)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", _loopback_only)
