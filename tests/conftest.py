"""Rules for every test: in CI nothing may be skipped, and no test reaches beyond this machine."""

import os
import secrets
import socket
import sys
from collections.abc import Generator
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any

import hypothesis
import pytest

from written import written

if (
    hypothesis.settings.get_current_profile_name() == "default"
):  # in CI Hypothesis takes one of its own, which has none either
    hypothesis.settings.register_profile("patient", deadline=None)  # a busy machine is no defect
    hypothesis.settings.load_profile("patient")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name what was skipped."""
    for report in terminalreporter.stats.get("skipped", []):
        terminalreporter.write_line(f"skipped: {report.nodeid}: {report.longrepr[-1]}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Coverage does not watch what repeats the lines of other tests: its tracer makes them two to ten times as slow.

    Put away and taken up again in one frame, so that its count of frames stays right.
    """
    if not (item.get_closest_marker("hypothesis") or item.get_closest_marker("untraced")):
        return (yield)
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """While tests are gathered, coverage watches Noria's modules being imported, and neither others' nor pytest itself."""
    tracer = sys.gettrace()
    if tracer is None:
        return (yield)
    run = SourceFileLoader.exec_module

    def watched(loader: SourceFileLoader, module: ModuleType) -> None:
        before = sys.gettrace()
        sys.settrace(tracer if module.__name__.partition(".")[0] == "noria" else None)
        try:
            run(loader, module)
        finally:
            sys.settrace(before)

    sys.settrace(None)
    SourceFileLoader.exec_module = watched  # type: ignore[method-assign]  # for as long as this frame
    try:
        return (yield)
    finally:
        SourceFileLoader.exec_module = run  # type: ignore[method-assign]
        sys.settrace(tracer)


CANARY = os.environ.setdefault("NORIA_TEST_CANARY", f"sk-canary-{secrets.token_hex(16)}")
"""A provider's key that tests hand to Noria. At the end of the run it must be in nothing that was written."""


def leaks(config: pytest.Config) -> list[str]:
    """Files under the run's folder that hold the canary; its own process alone looks, when all workers are done."""
    factory = getattr(config, "_tmp_path_factory", None)
    if hasattr(config, "workerinput") or factory is None:
        return []
    needles = written(CANARY)
    found = []
    for path in factory.getbasetemp().rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 256 * 2**20:
            content = path.read_bytes()
            found += [str(path) for needle in needles if needle in content]
    return found


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What a test printed and logged is looked through as well."""
    told = report.longreprtext + "".join(text for _, text in report.sections)
    if CANARY in told and report.outcome == "passed":
        report.outcome = "failed"
        report.longrepr = "A provider's key was printed or logged."


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A run that leaked a key has failed; in CI also one that skipped a test."""
    if leaked := leaks(session.config):
        sys.stderr.write(f"A provider's key was written to {', '.join(leaked)}\n")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
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
