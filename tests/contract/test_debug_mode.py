"""Debug mode: slow callbacks named, calls from the wrong thread refused, coroutines kept out of call_soon."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.wire import PATIENCE, Recorder, attach, turn, unix_pair, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Run


@pytest.fixture
def debugging(loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
    loop.set_debug(True)
    loop.slow_callback_duration = 60  # a busy machine must not add log lines that no test expects
    return loop


def noticeable() -> None:
    """A callback a test can find in the log."""


def slow_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "took" in record.getMessage()]


def test_a_callback_over_the_limit_is_named_in_the_log(
    debugging: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    debugging.slow_callback_duration = 0.0
    debugging.call_soon(noticeable)
    debugging.call_later(0, noticeable)
    with caplog.at_level(logging.WARNING, "asyncio"):
        turn(debugging)
    lines = [line for line in slow_lines(caplog) if "noticeable()" in line]
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("Executing <")
        assert line.endswith(" seconds")


def test_a_slow_step_of_a_task_is_named_by_its_task(
    debugging: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    async def slow_coroutine() -> None:
        await asyncio.sleep(0)

    debugging.slow_callback_duration = 0.0
    with caplog.at_level(logging.WARNING, "asyncio"):
        debugging.run_until_complete(slow_coroutine())
    assert any("Executing <Task" in line and "slow_coroutine()" in line for line in slow_lines(caplog))


def test_a_slow_reader_is_named_in_the_log(
    debugging: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    ours, peer = unix_pair()
    debugging.slow_callback_duration = 0.0
    debugging.add_reader(ours, noticeable)
    peer.send(b"x")
    with caplog.at_level(logging.WARNING, "asyncio"):
        turn(debugging)
    debugging.remove_reader(ours)
    ours.close()
    peer.close()
    assert any("noticeable()" in line for line in slow_lines(caplog))


def test_a_slow_protocol_is_named_in_the_log(
    debugging: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    class Slow(Recorder):
        def data_received(self, data: bytes) -> None:
            noticeable()
            super().data_received(data)

    ours, peer = unix_pair()
    protocol = Slow()
    debugging.run_until_complete(attach(protocol, ours))
    debugging.slow_callback_duration = 0.0
    with caplog.at_level(logging.WARNING, "asyncio"):
        peer.send(b"x")
        turn(debugging)
    assert protocol.data == b"x"
    protocol.transport.abort()
    turn(debugging)
    peer.close()
    assert any("Transport" in line and "took" in line for line in slow_lines(caplog))


def test_fast_callbacks_and_loops_out_of_debug_mode_log_nothing(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    loop.set_debug(False)
    loop.slow_callback_duration = 0.0
    loop.call_soon(noticeable)
    turn(loop)
    loop.set_debug(True)
    loop.slow_callback_duration = 60.0
    loop.call_soon(noticeable)
    turn(loop)
    loop.set_debug(False)
    assert slow_lines(caplog) == []


@pytest.mark.parametrize("method", ["call_soon", "call_later", "call_at"])
def test_a_call_from_another_thread_is_refused(debugging: asyncio.AbstractEventLoop, method: str) -> None:
    caught: list[BaseException] = []

    def call() -> None:
        arguments: dict[str, list[float]] = {"call_later": [0], "call_at": [debugging.time()]}
        try:
            getattr(debugging, method)(*arguments.get(method, []), noticeable)
        except RuntimeError as error:
            caught.append(error)
        finally:
            debugging.call_soon_threadsafe(debugging.stop)

    thread = threading.Thread(target=call)
    debugging.call_soon(thread.start)
    debugging.run_forever()
    thread.join(PATIENCE)
    (error,) = caught
    assert str(error) == "Non-thread-safe operation invoked on an event loop other than the current one"


async def coroutine() -> None:
    pass


@pytest.mark.parametrize("method", ["call_soon", "call_soon_threadsafe", "call_later", "call_at"])
def test_coroutines_and_things_that_cannot_be_called_are_refused(
    debugging: asyncio.AbstractEventLoop, method: str
) -> None:
    schedule: Any = getattr(debugging, method)
    before: list[float] = {"call_later": [0.0], "call_at": [debugging.time()]}.get(method, [])
    # call_later() names the method it is built on.
    name = "call_at" if method == "call_later" else method
    made = coroutine()
    for wrong in (coroutine, made):
        with pytest.raises(TypeError, match=rf"^coroutines cannot be used with {name}\(\)$"):
            schedule(*before, wrong)
    made.close()
    with pytest.raises(TypeError, match=rf"^a callable object was expected by {name}\(\), got 1$"):
        schedule(*before, 1)


def test_a_handle_of_debug_mode_tells_where_it_was_made(debugging: asyncio.AbstractEventLoop) -> None:
    handle = debugging.call_soon(noticeable)
    timer = debugging.call_later(60, noticeable)
    for each in (handle, timer):
        assert f"created at {__file__}" in repr(each)
        each.cancel()


def test_a_failing_callback_of_debug_mode_is_reported_with_its_source(
    debugging: asyncio.AbstractEventLoop, loop_errors: list[dict[str, Any]]
) -> None:
    debugging.call_soon(lambda: 1 / 0)
    turn(debugging)
    context = loop_errors.pop()
    assert isinstance(context["exception"], ZeroDivisionError)
    assert context["source_traceback"][-1].filename == __file__


def test_origin_tracking_is_on_for_the_run_only(debugging: asyncio.AbstractEventLoop) -> None:
    depths: list[int] = []
    before = sys.get_coroutine_origin_tracking_depth()
    debugging.call_soon(lambda: depths.append(sys.get_coroutine_origin_tracking_depth()))
    turn(debugging, 1)
    assert depths[0] > before
    assert sys.get_coroutine_origin_tracking_depth() == before


def test_debug_mode_may_change_while_the_loop_runs(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        before = sys.get_coroutine_origin_tracking_depth()
        loop.set_debug(True)
        await asyncio.sleep(0)
        assert loop.get_debug()
        await until(lambda: sys.get_coroutine_origin_tracking_depth() > before)
        loop.set_debug(False)
        await until(lambda: sys.get_coroutine_origin_tracking_depth() == before)

    run(main)


def test_the_environment_switches_debug_mode_on(
    loop_factory: Callable[[], asyncio.SelectorEventLoop], monkeypatch: pytest.MonkeyPatch, nothing_left: None
) -> None:
    del nothing_left
    for value in ("1", ""):
        monkeypatch.setenv("PYTHONASYNCIODEBUG", value)
        made = loop_factory()
        assert made.get_debug() is bool(value)
        made.close()
