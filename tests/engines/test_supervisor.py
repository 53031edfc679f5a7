"""Restarts, giving up, hanging and refusing, on real processes."""

import asyncio
import os
import signal
import sys

import psutil
import pytest

from noria.core.errors import EngineFailed
from noria.engines.process import CannotRun
from noria.engines.restarts import RestartPolicy
from noria.engines.scripted import ScriptedEngine
from noria.engines.supervisor import Supervisor

from .contract import answer, crash

QUICK = RestartPolicy(crash_limit=3, first_delay_s=0.01, grace_s=1.0)


@pytest.fixture
async def make(tmp_path):
    made = []

    def build(**options):
        engine = ScriptedEngine(tmp_path, **{"policy": QUICK, **options})
        made.append(engine)
        return engine

    yield build
    for engine in made:
        await engine.stop()


async def until(happened):
    """Give the loop its turns until a state shows; the test's own timeout ends a vain wait."""
    while not happened():  # noqa: ASYNC110 - a status has no event to wait for
        await asyncio.sleep(0)


async def test_a_start_outlasts_crashes_below_the_limit(make):
    engine = make(start_crashes=2)
    assert await answer(await engine.start())
    assert engine.status().restarts == 2


async def test_it_gives_up_and_says_what_the_log_said(make):
    engine = make(start_crashes=9)
    with pytest.raises(EngineFailed, match=r"crashed 3 times") as failure:
        await engine.start()
    assert "told to crash at start 2" in str(failure.value), "the log's end is in the message"
    assert engine.status().log in str(failure.value)
    status = engine.status()
    assert (status.state, status.pid, status.restarts) == ("failed", None, 2)
    assert "crashed 3 times" in status.message


async def test_a_failed_engine_is_not_started_for_every_call(make):
    engine = make(start_crashes=9)
    with pytest.raises(EngineFailed):
        await engine.start()
    with pytest.raises(EngineFailed, match="not started again for another") as failure:
        await engine.start()
    assert 0 < failure.value.retry_after_s <= QUICK.window_s
    assert engine.status().restarts == 2
    await engine.stop()
    with pytest.raises(EngineFailed, match="crashed 3 times"):
        await engine.start()
    assert engine.status().restarts == 4, "after a stop it tries again"


async def test_old_crashes_are_forgiven(tmp_path):
    now = 0.0
    argv = (sys.executable, "-c", "raise SystemExit('out of luck')")
    engine = Supervisor(
        name="x", model="x", argv=argv, order={}, log=tmp_path / "x.log", policy=QUICK, monotonic=lambda: now
    )
    with pytest.raises(EngineFailed, match="exited with status 1"):
        await engine.start()
    now = QUICK.window_s
    with pytest.raises(EngineFailed, match="crashed 3 times"):
        await engine.start()
    assert engine.status().restarts == 4


async def test_a_refusal_is_final_and_in_the_engines_words(make):
    engine = make(refusal="The processor has no abacus.")
    with pytest.raises(CannotRun, match=r"can't run: The processor has no abacus\.") as failure:
        await engine.start()
    assert not failure.value.retryable
    assert engine.status().restarts == 0
    with pytest.raises(CannotRun, match="not started again"):
        await engine.start()


async def test_a_program_that_is_not_there(tmp_path):
    engine = Supervisor(name="x", model="x", argv=("/nonexistent/engine",), order={}, log=tmp_path / "x.log")
    with pytest.raises(CannotRun, match="can't be started: .*No such file"):
        await engine.start()


@pytest.mark.parametrize(
    ("program", "check"),
    [("print('ready')", lambda: None), ("", lambda: (_ for _ in ()).throw(ValueError("no weights")))],
    ids=["an answer that is no JSON", "a check with a defect"],
)
async def test_a_defect_fails_the_start_and_not_the_next_one(tmp_path, program, check):
    engine = Supervisor(
        name="x", model="x", argv=(sys.executable, "-c", program), order={}, log=tmp_path / "x.log", check=check
    )
    for _ in range(2):
        with pytest.raises(EngineFailed, match="'x' failed"):
            await asyncio.wait_for(engine.start(), 20)
    assert engine.status().state == "failed"
    await engine.stop()


async def test_a_start_that_never_gets_healthy_times_out(make):
    policy = RestartPolicy(crash_limit=1, start_timeout_s=1.0, grace_s=1.0)
    engine = make(start_hangs=True, policy=policy)
    with pytest.raises(EngineFailed, match="did not answer within 1 s"):
        await engine.start()
    assert engine.status().pid is None


async def test_stop_while_it_loads(make):
    engine = make(start_hangs=True)
    starting = asyncio.create_task(engine.start())
    await until(lambda: engine.status().pid is not None)
    pid = engine.status().pid
    await asyncio.gather(engine.stop(), engine.stop())
    with pytest.raises(EngineFailed, match="was stopped"):
        await starting
    assert not psutil.pid_exists(pid)


async def test_a_start_joins_a_restart_and_stop_ends_the_wait(make):
    engine = make(policy=RestartPolicy(first_delay_s=60.0, jitter=0.0))
    endpoint = await engine.start()
    await crash(engine)
    await engine.crashed(endpoint)
    waiting = asyncio.create_task(engine.start())
    await until(lambda: engine.status().state == "backing_off")
    assert "SIGKILL" in engine.status().message
    await engine.stop()
    with pytest.raises(EngineFailed, match="was stopped"):
        await waiting


async def test_a_hung_process_is_replaced(make):
    policy = RestartPolicy(first_delay_s=0.01, check_every_s=0.05, check_timeout_s=0.1, check_misses=2, grace_s=0.1)
    engine = make(policy=policy)
    endpoint = await engine.start()
    pid = engine.status().pid
    os.kill(pid, signal.SIGSTOP)
    failure = await asyncio.wait_for(engine.crashed(endpoint), 10)
    assert "missed 2 health checks" in str(failure)
    assert await answer(await engine.start())
    assert not psutil.pid_exists(pid), "it is killed, since it can't hear a polite request"


async def test_stop_without_start(make):
    engine = make()
    await engine.stop()
    assert engine.status().state == "stopped"


async def test_the_event_loop_can_end_without_a_stop(tmp_path):
    """asyncio.run cancels everything at its end; the process must not stay."""

    async def forgetful() -> int:
        engine = ScriptedEngine(tmp_path, policy=QUICK)
        await engine.start()
        return engine.status().pid

    pid = await asyncio.to_thread(lambda: asyncio.run(forgetful()))
    assert not psutil.pid_exists(pid)
