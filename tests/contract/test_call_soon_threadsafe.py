"""call_soon_threadsafe: wake-up, order, and what happens around close (trap 24)."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.contract.wire import PATIENCE, turn, until

if TYPE_CHECKING:
    from tests.conftest import Run


def in_thread(target: object) -> threading.Thread:
    assert callable(target)
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


def test_a_call_from_another_thread_wakes_an_idle_loop(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(50):
            woken = loop.create_future()
            thread = in_thread(lambda woken=woken: loop.call_soon_threadsafe(woken.set_result, "awake"))
            assert await woken == "awake"
            thread.join(PATIENCE)

    run(main)


def test_calls_of_one_thread_keep_their_order_among_call_soon(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[int] = []
    for number in range(0, 1000, 2):
        loop.call_soon(seen.append, number)
        loop.call_soon_threadsafe(seen.append, number + 1)
    turn(loop)
    assert seen == list(range(1000))


def test_calls_of_the_loops_thread_keep_their_order_while_it_runs(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen: list[int] = []
        for number in range(0, 1000, 2):
            loop.call_soon_threadsafe(seen.append, number)
            loop.call_soon(seen.append, number + 1)
        await until(lambda: len(seen) == 1000)
        assert seen == list(range(1000))

    run(main)


def test_every_call_of_four_threads_runs_once_and_in_its_threads_order(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen: list[tuple[int, int]] = []

        def send(thread_number: int) -> None:
            for number in range(1000):
                loop.call_soon_threadsafe(seen.append, (thread_number, number))

        threads = [in_thread(lambda number=number: send(number)) for number in range(4)]
        await until(lambda: len(seen) == 4000)
        for thread in threads:
            thread.join(PATIENCE)
        for wanted in range(4):
            assert [number for thread_number, number in seen if thread_number == wanted] == list(range(1000))

    run(main)


def test_a_call_before_the_loop_runs_is_kept(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[str] = []
    in_thread(lambda: loop.call_soon_threadsafe(seen.append, "early")).join(PATIENCE)
    turn(loop)
    assert seen == ["early"]


def test_a_call_after_close_raises_and_says_so(loop: asyncio.AbstractEventLoop) -> None:
    loop.close()
    with pytest.raises(RuntimeError, match=r"^Event loop is closed$"):
        loop.call_soon_threadsafe(print)


def test_threads_that_race_close_get_runtime_error_and_nothing_else(
    loop: asyncio.AbstractEventLoop,
) -> None:
    refusals: list[BaseException] = []
    under_way = threading.Barrier(5)

    def hammer() -> None:
        try:
            for _ in range(100):
                loop.call_soon_threadsafe(id, 1)
            under_way.wait(PATIENCE)
            while True:
                loop.call_soon_threadsafe(id, 1)
        except BaseException as error:
            refusals.append(error)

    threads = [in_thread(hammer) for _ in range(4)]
    under_way.wait(PATIENCE)
    loop.close()
    for thread in threads:
        thread.join(PATIENCE)
    assert [(type(error), str(error)) for error in refusals] == [(RuntimeError, "Event loop is closed")] * 4


def test_stop_from_another_thread_ends_run_forever(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(lambda: in_thread(lambda: loop.call_soon_threadsafe(loop.stop)))
    loop.run_forever()
    assert not loop.is_running()


def test_a_call_cancelled_by_its_thread_before_it_ran_does_not_run(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen: list[int] = []

        def send_and_cancel() -> None:
            for number in range(200):
                loop.call_soon_threadsafe(seen.append, number).cancel()
            loop.call_soon_threadsafe(seen.append, -1)

        # The loop's thread waits here, so every cancel comes before any run.
        in_thread(send_and_cancel).join(PATIENCE)
        await until(lambda: -1 in seen)
        assert seen == [-1]

    run(main)


def test_a_loop_that_runs_in_another_thread_takes_coroutines(loop: asyncio.AbstractEventLoop) -> None:
    thread = in_thread(loop.run_forever)

    async def double(value: int) -> int:
        await asyncio.sleep(0)
        return value * 2

    assert asyncio.run_coroutine_threadsafe(double(21), loop).result(PATIENCE) == 42
    loop.call_soon_threadsafe(loop.stop)
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_call_cancelled_by_another_thread_while_it_runs_keeps_its_arguments_to_its_end(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(50):
            handles: list[asyncio.Handle] = []
            seen: list[int] = []
            runs, cancels = threading.Event(), threading.Event()

            # From 3.14 on asyncio's cancel() waits for the run's end, so the run must not wait for cancel().
            def callback(numbers: list[int], runs: threading.Event = runs, cancels: threading.Event = cancels) -> None:
                runs.set()
                assert cancels.wait(PATIENCE)
                for _one in range(100):
                    numbers.append(len(numbers))

            def cancel(
                runs: threading.Event = runs,
                cancels: threading.Event = cancels,
                handles: list[asyncio.Handle] = handles,
            ) -> None:
                assert runs.wait(PATIENCE)
                cancels.set()
                handles[0].cancel()

            handles.append(loop.call_soon_threadsafe(callback, seen))
            thread = in_thread(cancel)
            await until(partial(len, seen))
            thread.join(PATIENCE)
            assert seen == list(range(100))
            assert handles[0].cancelled()

    run(main)
