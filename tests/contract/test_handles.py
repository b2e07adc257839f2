"""Handles: order, cancellation of every kind, what they keep alive and what they tell (trap 11)."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.wire import Token, turn, unix_pair, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Run

SCHEDULERS = {
    "call_soon": lambda loop, callback, *args: loop.call_soon(callback, *args),
    "call_soon_threadsafe": lambda loop, callback, *args: loop.call_soon_threadsafe(callback, *args),
    "call_later": lambda loop, callback, *args: loop.call_later(0, callback, *args),
    "call_at": lambda loop, callback, *args: loop.call_at(loop.time(), callback, *args),
}


@pytest.fixture(params=sorted(SCHEDULERS))
def schedule(request: pytest.FixtureRequest) -> Callable[..., asyncio.Handle]:
    return SCHEDULERS[request.param]


def test_call_soon_runs_in_order_of_the_calls(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[int] = []
    for number in range(1000):
        loop.call_soon(seen.append, number)
    turn(loop)
    assert seen == list(range(1000))


def test_a_callback_scheduled_by_a_callback_runs_in_the_next_turn(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[str] = []

    def first() -> None:
        seen.append("first")
        loop.call_soon(seen.append, "nested")

    loop.call_soon(first)
    loop.call_soon(seen.append, "second")
    loop.stop()
    loop.run_forever()
    assert seen == ["first", "second"]
    turn(loop, 1)
    assert seen == ["first", "second", "nested"]


def test_a_cancelled_handle_does_not_run(
    loop: asyncio.AbstractEventLoop, schedule: Callable[..., asyncio.Handle]
) -> None:
    seen: list[str] = []
    handle = schedule(loop, seen.append, "cancelled")
    handle.cancel()
    schedule(loop, seen.append, "kept")
    turn(loop)
    assert seen == ["kept"]
    assert handle.cancelled()


def test_a_handle_cancelled_by_an_earlier_callback_of_its_batch_does_not_run(
    loop: asyncio.AbstractEventLoop, schedule: Callable[..., asyncio.Handle]
) -> None:
    seen: list[str] = []
    handles: list[asyncio.Handle] = []

    def cancel_the_next() -> None:
        handles[0].cancel()

    loop.call_soon(cancel_the_next)
    handles.append(schedule(loop, seen.append, "stale"))
    turn(loop)
    assert seen == []


def test_cancel_inside_its_own_run_leaves_the_arguments_usable(
    loop: asyncio.AbstractEventLoop, schedule: Callable[..., asyncio.Handle]
) -> None:
    seen: list[object] = []
    handles: list[asyncio.Handle] = []

    def callback(*values: list[int]) -> None:
        handles[0].cancel()
        gc.collect()
        seen.extend(values)

    handles.append(schedule(loop, callback, [1] * 100, [2] * 100))
    turn(loop)
    assert seen == [[1] * 100, [2] * 100]
    assert handles[0].cancelled()


def test_a_callback_that_cancels_its_own_handle_and_raises_is_reported(
    loop: asyncio.AbstractEventLoop, loop_errors: list[dict[str, Any]], schedule: Callable[..., asyncio.Handle]
) -> None:
    handles: list[asyncio.Handle] = []

    def callback() -> None:
        handles[0].cancel()
        raise ZeroDivisionError

    handles.append(schedule(loop, callback))
    turn(loop)
    (context,) = loop_errors
    assert isinstance(context["exception"], ZeroDivisionError)
    assert context["message"] == "Exception in callback None()"  # asyncio's words for a callback that is gone
    assert context["handle"] is handles[0]
    loop_errors.clear()


def test_cancel_lets_callback_and_arguments_go_at_once(
    loop: asyncio.AbstractEventLoop, schedule: Callable[..., asyncio.Handle]
) -> None:
    token = Token()
    watched = weakref.ref(token)
    handle = schedule(loop, print, token)
    del token
    handle.cancel()
    gc.collect()
    assert watched() is None
    turn(loop)


def test_a_handle_that_ran_lets_its_arguments_go(
    loop: asyncio.AbstractEventLoop, schedule: Callable[..., asyncio.Handle]
) -> None:
    token = Token()
    watched = weakref.ref(token)
    schedule(loop, id, token)
    del token
    assert watched() is not None
    turn(loop)
    gc.collect()
    assert watched() is None


def test_cancel_twice_and_after_the_run_is_harmless(
    loop: asyncio.AbstractEventLoop, schedule: Callable[..., asyncio.Handle]
) -> None:
    seen: list[int] = []
    handle = schedule(loop, seen.append, 1)
    turn(loop)
    handle.cancel()
    handle.cancel()
    turn(loop)
    assert seen == [1]
    assert handle.cancelled()


def test_handles_are_asyncio_handles_that_tell_their_state(loop: asyncio.AbstractEventLoop) -> None:
    soon = loop.call_soon(print, 1, "two")
    later = loop.call_later(60, print)
    assert isinstance(soon, asyncio.Handle)
    assert isinstance(later, asyncio.TimerHandle)
    assert "print(" in repr(soon)
    assert f"when={later.when()}" in repr(later)
    for handle in (soon, later):
        assert not handle.cancelled()
        assert "cancelled" not in repr(handle)
        handle.cancel()
        assert handle.cancelled()
        assert "cancelled" in repr(handle)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Handle.get_context() is new in Python 3.12")
def test_get_context_is_the_context_the_callback_runs_in(
    loop: asyncio.AbstractEventLoop,
) -> None:
    context = contextvars.copy_context()
    for handle in (
        loop.call_soon(id, 1, context=context),
        loop.call_soon_threadsafe(id, 1, context=context),
        loop.call_later(60, id, 1, context=context),
    ):
        assert getattr(handle, "get_context")() is context  # noqa: B009  not in the stubs of Python 3.11
        handle.cancel()


def test_timer_handles_compare_by_deadline(loop: asyncio.AbstractEventLoop) -> None:
    base = loop.time() + 60
    early, late = loop.call_at(base, id, 1), loop.call_at(base + 1, id, 1)
    assert early < late
    assert early <= late
    assert late > early
    assert late >= early
    assert early != late
    assert early.when() == base
    early.cancel()
    late.cancel()


def test_a_callback_that_reschedules_itself_starves_neither_sockets_nor_timers(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        seen: set[str] = set()
        busy = True

        def again() -> None:
            if busy:
                loop.call_soon(again)

        again()
        loop.add_reader(ours, seen.add, "socket")
        loop.call_later(0.001, seen.add, "timer")
        peer.send(b"x")
        await until(lambda: seen == {"socket", "timer"})
        busy = False
        loop.remove_reader(ours)
        ours.close()
        peer.close()

    run(main)
