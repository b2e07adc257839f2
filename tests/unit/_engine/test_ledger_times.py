"""The ledger's times against loads of known length. Nothing is asserted that a slow machine could break.

A load measures itself, so the ledger can be held to it: a step is at least as long as what ran in it, and all
times together are no longer than the clock says around the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import statistics
import time
from typing import TYPE_CHECKING, Any

import pytest

from clearloop.loop.event_loop import EventLoop
from tests.contract.wire import turn
from tests.unit._engine.loads import Spin

if TYPE_CHECKING:
    from clearloop import Distribution

ROUNDING_S = 1e-6  # of doubles that hold seconds since the machine's start
OVERHEAD = 1.1  # a step is longer than what its callback could measure of itself


def assert_consistent(distribution: Distribution) -> None:
    ascending = (0.0, distribution.p50_s, distribution.p90_s, distribution.p99_s, distribution.max_s)
    assert list(ascending) == sorted(ascending)
    assert 0 <= distribution.mean_s <= distribution.max_s
    # Half of the durations are at least the exact median, to which the told one is within a factor of two.
    assert distribution.p50_s <= 4 * distribution.mean_s


def test_a_step_is_as_long_as_its_callback_and_the_next_one_waits_for_it(loop: EventLoop) -> None:
    spin = Spin(0.02)
    loop.call_soon(spin)
    turn(loop, 1)  # its stop() is the callback queued behind
    found = loop.statistics()
    assert found.step.max_s >= spin.durations[0] - ROUNDING_S >= 0.02 - ROUNDING_S
    assert found.lag.max_s >= spin.durations[0] - ROUNDING_S
    assert found.busy_s >= spin.durations[0] - ROUNDING_S


def test_lag_adds_up_along_the_queue(loop: EventLoop) -> None:
    spin = Spin(0.005)
    for _ in range(4):
        loop.call_soon(spin)
    turn(loop, 1)
    assert loop.statistics().lag.max_s >= sum(spin.durations) - ROUNDING_S


def test_a_sleep_is_idle_time(loop: EventLoop) -> None:
    loop.call_later(0.05, loop.stop)
    began = time.monotonic()
    loop.run_forever()
    elapsed = time.monotonic() - began
    found = loop.statistics()
    assert 0.04 <= found.idle_s <= elapsed + ROUNDING_S
    assert found.busy_s < found.idle_s
    assert 0 < found.utilization < 0.5


def test_busy_and_idle_time_are_within_what_the_clock_says(loop: EventLoop) -> None:
    spin = Spin(0.01)

    async def main() -> None:
        for _ in range(3):
            spin()
            await asyncio.sleep(0.01)

    began = time.monotonic()
    loop.run_until_complete(main())
    elapsed = time.monotonic() - began
    found = loop.statistics()
    assert found.busy_s >= sum(spin.durations) - ROUNDING_S
    assert found.idle_s >= 0.02
    assert found.busy_s + found.idle_s <= elapsed + ROUNDING_S
    assert found.utilization == pytest.approx(found.busy_s / (found.busy_s + found.idle_s))


def test_time_between_two_runs_is_neither_busy_nor_idle(loop: EventLoop) -> None:
    turn(loop, 1)
    Spin(0.03)()
    before = loop.statistics()
    began = time.monotonic()
    turn(loop, 1)
    elapsed = time.monotonic() - began
    after = loop.statistics()
    grown = after.busy_s + after.idle_s - before.busy_s - before.idle_s
    assert 0 < grown <= elapsed + ROUNDING_S
    assert loop.statistics() == after


def test_a_poll_without_sleep_is_busy_time(loop: EventLoop) -> None:
    turn(loop, 50)
    found = loop.statistics()
    assert found.polls >= 1
    assert (found.idle_s, found.utilization) == (0.0, 1.0)


def test_a_running_loop_counts_the_time_of_the_run_that_has_not_ended(loop: EventLoop) -> None:
    spin = Spin(0.01)
    busy: list[float] = []
    loop.call_soon(spin)
    loop.call_soon(lambda: busy.append(loop.statistics().busy_s))
    turn(loop, 1)
    assert busy[0] >= spin.durations[0] - ROUNDING_S


def test_the_mean_times_the_count_is_the_sum_of_the_steps(loop: EventLoop) -> None:
    spins = [Spin(0.0001 * number) for number in range(20)]
    for spin in spins:
        loop.call_soon(spin)
    turn(loop, 1)
    found = loop.statistics()
    measured = sum(duration for spin in spins for duration in spin.durations)
    assert measured - ROUNDING_S <= found.step.mean_s * found.step.count <= found.busy_s + ROUNDING_S
    assert_consistent(found.step)
    assert_consistent(found.lag)


def test_the_quantiles_of_a_known_mixture(loop: EventLoop) -> None:
    short, long = Spin(0.0002), Spin(0.01)
    for number in range(100):
        loop.call_soon(long if number % 20 == 7 else short)
    turn(loop, 1)
    found = loop.statistics().step
    durations = sorted(short.durations + long.durations)
    assert (len(short.durations), len(long.durations)) == (95, 5)
    # The step of stop() is the shortest of the 101, so the quantiles' ranks are 51, 91 and 100 among them.
    for quantile_s, exact_s in (
        (found.p50_s, statistics.median(durations)),
        (found.p90_s, durations[89]),
        (found.p99_s, durations[98]),
    ):
        assert exact_s / (2 * OVERHEAD) <= quantile_s <= exact_s * 2 * OVERHEAD
    assert found.p99_s > 10 * found.p50_s
    assert found.max_s >= durations[-1] - ROUNDING_S
    assert_consistent(found)


def test_quantiles_of_seconds_fit_into_their_histogram() -> None:
    with contextlib.closing(EventLoop()) as loop:  # one poller is enough for a load that blocks for two seconds
        block = Spin(2.2)  # beyond 2**31 ns
        loop.call_soon(block)
        turn(loop, 1)
        found = loop.statistics()
    for distribution in (found.step, found.lag):
        assert block.durations[0] / 2 <= distribution.p99_s <= distribution.max_s
        assert_consistent(distribution)


def test_a_timer_due_while_the_loop_slept_has_no_lag(loop: EventLoop) -> None:
    loop.call_later(0.03, loop.stop)
    loop.run_forever()
    found = loop.statistics()
    assert found.idle_s >= 0.02
    assert found.lag.count == 1
    assert found.lag.max_s < 0.01  # its step is the first after the sleep: one boundary is both instants


def test_a_timer_due_while_the_loop_was_busy_is_late_since_its_deadline(loop: EventLoop) -> None:
    spin = Spin(0.04)
    loop.call_later(0.01, loop.stop)
    loop.call_soon(spin)
    loop.run_forever()
    lag = loop.statistics().lag
    assert lag.max_s >= spin.durations[0] - 0.015
    assert lag.max_s - lag.p50_s >= 0.02


def test_a_timer_is_ready_no_earlier_than_it_was_scheduled(loop: EventLoop) -> None:
    began = time.monotonic()
    loop.call_later(-100, str)
    loop.call_at(began - 100, str)
    loop.call_at(-1e18, str)
    turn(loop, 1)
    elapsed = time.monotonic() - began
    assert loop.statistics().lag.max_s <= elapsed + ROUNDING_S


def test_a_timer_on_a_clock_of_its_own_is_timed_by_the_real_one(loop: Any) -> None:
    now = [0.0]
    loop.time = lambda: now[0]
    loop.call_at(1e6, str)
    now[0] = 2e6
    began = time.monotonic()
    turn(loop, 1)
    elapsed = time.monotonic() - began
    found = loop.statistics()
    assert found.steps == 2
    assert found.lag.max_s <= elapsed + ROUNDING_S


def test_a_callback_from_outside_a_step_is_ready_from_then_on(loop: EventLoop) -> None:
    turn(loop, 1)
    before = loop.statistics().lag.max_s
    Spin(0.03)()  # the loop is not running: nobody waits
    began = time.monotonic()
    loop.call_soon(str)
    turn(loop, 1)
    elapsed = time.monotonic() - began
    assert loop.statistics().lag.max_s <= max(before, elapsed) + ROUNDING_S


def test_a_callback_that_waited_for_its_loop_to_run_is_late(loop: EventLoop) -> None:
    loop.call_soon(str)
    spin = Spin(0.02)
    spin()
    turn(loop, 1)
    assert loop.statistics().lag.max_s >= spin.durations[0] - ROUNDING_S


def test_what_a_native_transport_reads_is_a_step_with_a_length(loop: EventLoop) -> None:
    left, right = socket.socketpair()
    spin = Spin(0.02)

    class Reader(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:  # noqa: ARG002  asyncio's signature
            spin()
            loop.stop()

    with right:
        right.send(b"x")
        transport, _protocol = loop.run_until_complete(loop.create_connection(Reader, sock=left))
        if not spin.durations:
            loop.run_forever()
        transport.close()
        turn(loop)
    found = loop.statistics()
    assert found.step.max_s >= spin.durations[0] - ROUNDING_S
    assert found.busy_s >= spin.durations[0] - ROUNDING_S


def test_turns_made_one_by_one_are_busy_and_idle_time_too(loop: Any) -> None:
    loop.call_soon(Spin(0.01))
    loop._run_once()
    loop.call_later(0.02, str)
    while loop._scheduled:
        loop._run_once()
    found = loop.statistics()
    assert found.idle_s >= 0.01
    assert found.busy_s >= 0.01 - ROUNDING_S
    assert 0 < found.utilization < 1
