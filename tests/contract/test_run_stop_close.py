"""run_forever, run_until_complete, stop, close: what still runs, is dropped, is refused (trap 29)."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from tests.contract.wire import PATIENCE, Token, attach, turn, unix_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.conftest import Run


def test_stop_before_run_forever_runs_one_turn(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[str] = []
    loop.call_soon(seen.append, "queued")
    loop.stop()
    loop.run_forever()
    assert seen == ["queued"]


def test_callbacks_queued_beside_stop_run_and_those_they_add_wait_for_the_next_run(
    loop: asyncio.AbstractEventLoop,
) -> None:
    seen: list[str] = []
    loop.call_soon(loop.stop)
    loop.call_soon(seen.append, "beside")
    loop.call_soon(loop.call_soon, seen.append, "added")
    loop.run_forever()
    assert seen == ["beside"]
    turn(loop, 1)
    assert seen == ["beside", "added"]


def test_a_loop_runs_again_after_stop(loop: asyncio.AbstractEventLoop) -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    for _ in range(20):
        loop.call_soon(loop.stop)
        loop.run_forever()
        assert loop.run_until_complete(answer()) == 42


def test_stop_twice_stops_once(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[str] = []
    loop.stop()
    loop.stop()
    loop.run_forever()
    loop.call_soon(seen.append, "ran")
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == ["ran"]


def test_is_running_and_the_running_loop_are_told_only_inside_a_run(
    loop: asyncio.AbstractEventLoop,
) -> None:
    seen: list[bool] = []
    loop.call_soon(lambda: seen.append(loop.is_running() and asyncio.get_running_loop() is loop))
    turn(loop, 1)
    assert seen == [True]
    assert not loop.is_running()
    with pytest.raises(RuntimeError, match=r"^no running event loop$"):
        asyncio.get_running_loop()


def refused(loop: asyncio.AbstractEventLoop, attempt: Callable[[], object]) -> str:
    """Make an attempt inside a running loop and return what the RuntimeError says."""
    message = ""

    def try_it() -> None:
        nonlocal message
        with pytest.raises(RuntimeError) as caught:
            attempt()
        message = str(caught.value)

    loop.call_soon(try_it)
    turn(loop, 1)
    return message


def test_run_forever_inside_a_run_is_refused(loop: asyncio.AbstractEventLoop) -> None:
    assert refused(loop, loop.run_forever) == "This event loop is already running"


def test_run_until_complete_inside_a_run_is_refused(loop: asyncio.AbstractEventLoop) -> None:
    never = loop.create_future()
    assert refused(loop, lambda: loop.run_until_complete(never)) == "This event loop is already running"


def test_a_second_loop_inside_a_run_is_refused(
    loop: asyncio.AbstractEventLoop, loop_factory: Callable[[], asyncio.SelectorEventLoop]
) -> None:
    other = loop_factory()
    assert refused(loop, other.run_forever) == "Cannot run the event loop while another loop is running"
    turn(other, 1)
    other.close()


def test_close_inside_a_run_is_refused_and_the_loop_goes_on(loop: asyncio.AbstractEventLoop) -> None:
    assert refused(loop, loop.close) == "Cannot close a running event loop"
    assert not loop.is_closed()
    turn(loop)


def test_close_twice_is_harmless(loop: asyncio.AbstractEventLoop) -> None:
    loop.close()
    loop.close()
    assert loop.is_closed()


def test_callbacks_pending_at_close_are_dropped_with_all_they_hold(
    loop: asyncio.AbstractEventLoop,
) -> None:
    seen: list[object] = []
    tokens = [Token() for _ in range(3)]
    watched = [weakref.ref(token) for token in tokens]
    loop.call_soon(seen.append, tokens[0])
    loop.call_soon_threadsafe(seen.append, tokens[1])
    loop.call_later(60, seen.append, tokens[2])
    tokens.clear()
    loop.close()
    gc.collect()
    assert [reference() for reference in watched] == [None] * 3
    assert seen == []


def test_run_until_complete_raises_what_the_coroutine_raises(loop: asyncio.AbstractEventLoop) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError("expected")

    with pytest.raises(ZeroDivisionError, match="expected"):
        loop.run_until_complete(fail())
    turn(loop)


def test_stop_before_the_future_is_done_says_so(loop: asyncio.AbstractEventLoop) -> None:
    never = loop.create_future()
    loop.call_soon(loop.stop)
    with pytest.raises(RuntimeError, match=r"^Event loop stopped before Future completed\.$"):
        loop.run_until_complete(never)


def test_a_closed_loop_runs_nothing(loop: asyncio.AbstractEventLoop) -> None:
    never = loop.create_future()
    loop.close()
    for attempt in (loop.run_forever, lambda: loop.run_until_complete(never)):
        with pytest.raises(RuntimeError, match=r"^Event loop is closed$"):
            attempt()


def test_exceptions_of_callbacks_do_not_end_run_forever(
    loop: asyncio.AbstractEventLoop, loop_errors: list[dict[str, object]]
) -> None:
    seen: list[str] = []
    loop.call_soon(lambda: 1 / 0)
    loop.call_soon(seen.append, "after")
    turn(loop, 1)
    assert seen == ["after"]
    assert isinstance(loop_errors.pop()["exception"], ZeroDivisionError)


def test_stop_inside_a_task_lets_the_task_finish_in_the_next_run(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[int] = []

    async def stop_in_the_middle() -> None:
        seen.append(1)
        loop.stop()
        await asyncio.sleep(0)
        seen.append(2)

    task = loop.create_task(stop_in_the_middle())
    loop.run_forever()
    assert seen == [1]
    loop.run_until_complete(task)
    assert seen == [1, 2]


def test_bytes_written_in_the_last_step_before_stop_reach_the_peer(loop: asyncio.AbstractEventLoop) -> None:
    ours, peer = unix_pair()
    transport = loop.run_until_complete(attach(asyncio.Protocol(), ours))

    def write_and_stop() -> None:
        transport.write(b"before ")
        transport.write(b"stop")
        loop.stop()

    loop.call_soon(write_and_stop)
    loop.run_forever()
    assert peer.recv(100) == b"before stop"
    transport.close()
    turn(loop)
    peer.close()


def test_bytes_written_while_the_loop_does_not_run_reach_the_peer(loop: asyncio.AbstractEventLoop) -> None:
    ours, peer = unix_pair()
    transport = loop.run_until_complete(attach(asyncio.Protocol(), ours))
    transport.write(b"at once")
    assert peer.recv(100) == b"at once"
    transport.writelines([b"this ", b"too"])
    assert peer.recv(100) == b"this too"
    transport.close()
    turn(loop)
    peer.close()


def test_wait_for_and_timeouts_work_when_the_loop_is_idle(run: Run) -> None:
    async def main() -> None:
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(never, 0.002)
        assert never.cancelled()

    run(main)


def test_run_in_executor_returns_to_the_loop(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        results = await asyncio.gather(*(loop.run_in_executor(None, pow, 2, n) for n in range(20)))
        assert results == [2**n for n in range(20)]

    run(main)


def test_asyncio_runner_takes_the_loop_as_its_factory(
    loop_factory: Callable[[], asyncio.SelectorEventLoop], nothing_left: None
) -> None:
    del nothing_left

    async def kind_of_loop() -> type:
        await asyncio.wait_for(asyncio.sleep(0), PATIENCE)
        return type(asyncio.get_running_loop())

    main: Coroutine[object, object, type] = kind_of_loop()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(main) is type(runner.get_loop())
