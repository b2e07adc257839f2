"""The ledger's counts against loads of known size: steps, turns, polls, depths, timers."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from typing import TYPE_CHECKING, Any

import pytest

from clearloop import Distribution, LoopStatistics
from tests.contract.wire import Recorder, turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearloop.loop.event_loop import EventLoop
    from tests.conftest import Run

ZERO = Distribution(count=0, mean_s=0.0, p50_s=0.0, p90_s=0.0, p99_s=0.0, max_s=0.0)
NEVER_RAN = LoopStatistics(
    turns=0,
    polls=0,
    steps=0,
    step=ZERO,
    lag=ZERO,
    busy_s=0.0,
    idle_s=0.0,
    utilization=0.0,
    ready_depth=0,
    ready_depth_max=0,
    timers=0,
)
STOP = 1  # the step that turn() adds: loop.stop()


def steps_of(loop: EventLoop, load: Callable[[], object]) -> int:
    """Count the steps that a load makes in one turn."""
    before = loop.statistics().steps
    load()
    turn(loop, 1)
    return loop.statistics().steps - before - STOP


def test_a_loop_that_never_ran_is_all_zero(loop: EventLoop) -> None:
    assert loop.statistics() == NEVER_RAN


def test_what_is_scheduled_counts_before_it_runs_only_as_depth(loop: EventLoop) -> None:
    for _ in range(3):
        loop.call_soon(str)
    loop.call_later(1000, str)
    assert loop.statistics() == dataclasses.replace(NEVER_RAN, ready_depth=3, timers=1)


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1000])
def test_each_callback_is_one_step(loop: EventLoop, count: int) -> None:
    assert steps_of(loop, lambda: [loop.call_soon(str) for _ in range(count)]) == count
    assert steps_of(loop, lambda: [loop.call_at(0, str) for _ in range(count)]) == count
    found = loop.statistics()
    assert found.steps == found.step.count == found.lag.count == 2 * (count + STOP)


def test_a_cancelled_callback_is_no_step(loop: EventLoop) -> None:
    def load() -> None:
        handles = [loop.call_soon(str) for _ in range(10)] + [loop.call_at(0, str) for _ in range(10)]
        for handle in handles[::2]:
            handle.cancel()

    assert steps_of(loop, load) == 10


def test_a_callback_that_cancels_the_next_leaves_one_step(loop: EventLoop) -> None:
    def load() -> None:
        handles: list[asyncio.Handle] = []
        loop.call_soon(lambda: handles[0].cancel())  # noqa: PLW0108  the handle is made after this line
        handles.append(loop.call_soon(str))

    assert steps_of(loop, load) == 1


def test_a_callback_that_raises_is_a_step(loop: EventLoop, loop_errors: list[dict[str, Any]]) -> None:
    assert steps_of(loop, lambda: loop.call_soon(int, "no number")) == 1
    assert loop_errors.pop()["message"].startswith("Exception in callback")


def test_a_callback_from_another_kind_of_handle_is_a_step(loop: EventLoop) -> None:
    load: Any = loop
    assert steps_of(loop, lambda: load._ready.append(asyncio.Handle(str, (), loop))) == 1


def test_each_resumption_of_a_task_is_one_step(loop: EventLoop) -> None:
    async def pauses(count: int) -> int:
        before = loop.statistics().steps
        for _ in range(count):
            await asyncio.sleep(0)
        return loop.statistics().steps - before

    for count in (0, 1, 500):
        assert loop.run_until_complete(pauses(count)) == count


def test_the_depth_is_what_was_ready_when_a_turn_began_to_run(loop: EventLoop) -> None:
    for count in (5, 200, 20):
        for _ in range(count):
            loop.call_soon(str)
        assert loop.statistics().ready_depth == count
        turn(loop, 1)
        assert loop.statistics().ready_depth == 0
    assert loop.statistics().ready_depth_max == 200 + STOP


def test_due_timers_count_in_the_depth_and_steps_made_meanwhile_do_not(loop: EventLoop) -> None:
    for _ in range(40):
        loop.call_at(0, lambda: loop.call_soon(str))
    turn(loop, 1)
    found = loop.statistics()
    assert (found.ready_depth_max, found.ready_depth) == (40 + STOP, 40)


def test_timers_are_those_that_wait(loop: EventLoop) -> None:
    timers = [loop.call_later(1000 + number, str) for number in range(10)]
    for timer in timers[::2]:
        timer.cancel()
    loop.call_at(0, str)
    assert loop.statistics().timers == 6
    turn(loop, 1)
    assert loop.statistics().timers == 5


def test_each_run_until_the_next_stop_is_one_turn(loop: EventLoop) -> None:
    for turns in range(1, 6):
        turn(loop, 1)
        assert loop.statistics().turns == turns


def test_a_chain_of_callbacks_is_a_turn_each_and_skips_polls(loop: EventLoop) -> None:
    def link(left: int) -> None:
        if left:
            loop.call_soon(link, left - 1)
        else:
            loop.stop()

    loop.call_soon(link, 1999)
    loop.run_forever()
    found = loop.statistics()
    assert found.turns == found.steps == 2000
    assert 1 <= found.polls < found.turns


def test_a_loop_that_sleeps_polls_each_time(loop: EventLoop) -> None:
    async def sleeps() -> None:
        for _ in range(5):
            await asyncio.sleep(0.002)

    loop.run_until_complete(sleeps())
    found = loop.statistics()
    assert found.polls >= 5
    assert found.polls <= found.turns


def test_a_reader_and_a_writer_are_a_step_each_time(loop: EventLoop) -> None:
    seen: list[str] = []
    left, right = socket.socketpair()
    with left, right:
        right.send(b"x")
        loop.add_reader(left, seen.append, "read")
        loop.add_writer(left, seen.append, "write")
        before = loop.statistics().steps
        turns = 0
        while len(seen) < 20:
            turn(loop, 1)
            turns += 1
        assert loop.statistics().steps - before == len(seen) + turns * STOP
        loop.remove_reader(left)
        loop.remove_writer(left)
    assert {"read", "write"} == set(seen)


def test_each_event_of_a_native_transport_is_a_step(loop: EventLoop, run: Run) -> None:
    left, right = socket.socketpair()
    right.setblocking(False)

    async def main() -> None:
        transport, protocol = await loop.create_connection(Recorder, sock=left)
        await asyncio.sleep(0)  # reading has begun
        for number in range(1, 6):
            before = loop.statistics().steps
            right.send(b"x")
            pauses = 0
            while len(protocol.chunks) < number:
                await asyncio.sleep(0)
                pauses += 1
            assert loop.statistics().steps - before == pauses + 1
        transport.close()
        await asyncio.sleep(0)

    with right:
        run(main)


def test_statistics_of_a_running_loop_leave_out_the_step_that_asks(loop: EventLoop) -> None:
    found: list[LoopStatistics] = []
    for _ in range(2):
        loop.call_soon(lambda: found.append(loop.statistics()))
    turn(loop, 1)
    assert [statistics.steps for statistics in found] == [0, 1]
    assert [statistics.ready_depth for statistics in found] == [2, 1]


def test_a_closed_loop_still_tells_what_it_did(loop: EventLoop) -> None:
    turn(loop, 3)
    loop.call_soon(str)
    loop.close()
    found = loop.statistics()
    assert (found.turns, found.steps, found.ready_depth, found.timers) == (3, 3, 0, 0)


def test_the_record_is_frozen(loop: EventLoop) -> None:
    found: Any = loop.statistics()
    for record, name in ((found, "steps"), (found.step, "count")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, name, 1)
        with pytest.raises((AttributeError, TypeError)):
            record.an_attribute_of_nobody = 1
    assert hash(found) == hash(loop.statistics())
