"""Timers: order, deadlines, cancelled ones, odd delays and clocks that are not the loop's own (trap 28)."""

from __future__ import annotations

import asyncio
import gc
import math
import time
import weakref
from typing import TYPE_CHECKING

import pytest

from tests.contract.wire import turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Run


@pytest.mark.only_clearloop(reason="asyncio's heap does not keep equal deadlines in order")
def test_equal_deadlines_run_in_order_of_the_calls(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[int] = []
    when = loop.time()
    for number in range(500):
        loop.call_at(when, seen.append, number)
    turn(loop)
    assert seen == list(range(500))


@pytest.mark.only_clearloop(reason="asyncio's heap does not keep equal deadlines in order")
def test_equal_deadlines_keep_their_order_when_others_of_them_are_cancelled(
    loop: asyncio.AbstractEventLoop,
) -> None:
    seen: list[int] = []
    when = loop.time()
    handles = [loop.call_at(when, seen.append, number) for number in range(500)]
    for handle in handles[::3]:
        handle.cancel()
    turn(loop)
    assert seen == [number for number in range(500) if number % 3]


def test_timers_run_in_order_of_their_deadlines(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[int] = []
    now = loop.time()
    for number in (5, 1, 4, 0, 3, 2):
        loop.call_at(now - 1 + number / 10, seen.append, number)
    turn(loop)
    assert seen == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("delay", [0, 0.0, -1, -1e18, -math.inf], ids=str)
def test_a_due_timer_makes_the_poll_return_at_once(run: Run, delay: float) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        fired = loop.create_future()
        loop.call_later(delay, fired.set_result, None)
        await fired

    run(main)


@pytest.mark.parametrize("delay", [0.0001, 0.0009, 0.001, 0.0015, 0.0201])
def test_a_timer_never_runs_before_its_deadline(run: Run, delay: float) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        resolution = time.get_clock_info("monotonic").resolution

        def note_the_time(seen: list[float], ran: asyncio.Event) -> None:
            seen.append(loop.time())
            ran.set()

        for _ in range(5):
            ran = asyncio.Event()
            seen: list[float] = []
            handle = loop.call_later(delay, note_the_time, seen, ran)
            await ran.wait()
            assert seen[0] >= handle.when() - resolution

    run(main)


@pytest.mark.parametrize("delay", [math.inf, 1e18, 1e300, 10**15, 2**63, 2**64], ids=str)
def test_a_delay_beyond_any_clock_waits_and_disturbs_no_other_timer(run: Run, delay: float) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen: list[str] = []
        far = loop.call_later(delay, seen.append, "far")
        await asyncio.sleep(0.002)
        assert seen == []
        far.cancel()

    run(main)


@pytest.mark.only_clearloop(reason="a NaN deadline makes asyncio's poll raise ValueError out of run_forever()")
def test_a_nan_deadline_is_refused_or_run_but_never_stops_the_loop(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        refused = False
        try:
            handle = loop.call_later(math.nan, id, 1)
        except ValueError:
            refused = True
        order: list[float] = []
        for delay in (0.003, 0.001, 0.002):
            loop.call_later(delay, order.append, delay)
        await asyncio.sleep(0.004)
        assert order == [0.001, 0.002, 0.003]
        if not refused:
            handle.cancel()

    run(main)


def test_cancelled_timers_do_not_pile_up(loop: asyncio.AbstractEventLoop) -> None:
    alive: weakref.WeakSet[asyncio.Handle] = weakref.WeakSet()
    for _ in range(20):
        handles = [loop.call_later(3600, id, 1) for _ in range(500)]
        alive.update(handles)
        for handle in handles:
            handle.cancel()
        del handle, handles
        turn(loop, 1)
    gc.collect()
    assert len(alive) <= 1000, "10,000 cancelled timers were kept for an hour"


def test_timers_kept_among_many_cancelled_ones_still_run(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[int] = []
    base = loop.time() - 1
    handles = [loop.call_at(base + number / 10_000, seen.append, number) for number in range(2000)]
    for number, handle in enumerate(handles):
        if number % 100:
            handle.cancel()
    turn(loop)
    assert seen == list(range(0, 2000, 100))


def test_a_timer_cancelled_by_an_earlier_one_of_the_same_batch_does_not_run(
    loop: asyncio.AbstractEventLoop,
) -> None:
    seen: list[str] = []
    now = loop.time()
    second = loop.call_at(now - 1, seen.append, "second")
    loop.call_at(now - 2, second.cancel)
    turn(loop)
    assert seen == []


def test_timers_cancelled_in_hundreds_by_a_timer_of_the_batch_leave_the_rest_intact(
    loop: asyncio.AbstractEventLoop,
) -> None:
    seen: list[int] = []
    base = loop.time() - 1
    handles = [loop.call_at(base + number / 1000, seen.append, number) for number in range(400)]

    def cancel_most() -> None:
        for number, handle in enumerate(handles):
            if number != 399:
                handle.cancel()

    loop.call_at(base - 1, cancel_most)
    turn(loop)
    assert seen == [399]


def test_loop_time_is_the_monotonic_clock(loop: asyncio.AbstractEventLoop) -> None:
    before = time.monotonic()
    now = loop.time()
    assert before <= now <= time.monotonic()


def test_a_clock_set_on_the_loop_moves_its_timers(loop: asyncio.AbstractEventLoop) -> None:
    now = 1000.0
    seen: list[str] = []
    loop.time = lambda: now  # type: ignore[method-assign]  # virtual clocks replace the method this way
    handle = loop.call_later(3600, seen.append, "an hour later")
    assert handle.when() == 4600.0
    turn(loop)
    assert seen == []
    now += 3600
    turn(loop)
    assert seen == ["an hour later"]


def test_a_clock_of_a_subclass_moves_its_timers(
    loop_factory: Callable[[], asyncio.SelectorEventLoop], nothing_left: None
) -> None:
    del nothing_left
    with_real_clock = loop_factory()
    kind = type(with_real_clock)
    with_real_clock.close()

    class Virtual(kind):  # type: ignore[valid-type, misc]  # the class under test is chosen at run time
        now = 5.0

        def time(self) -> float:
            return self.now

    loop = Virtual()
    seen: list[str] = []
    try:
        loop.call_later(60, seen.append, "a minute later")
        turn(loop)
        assert seen == []
        loop.now += 61
        turn(loop)
    finally:
        loop.close()
    assert seen == ["a minute later"]
