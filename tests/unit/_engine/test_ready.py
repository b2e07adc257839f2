"""The ready queue: a ring that grows while it is wrapped, and what asyncio's code does with loop._ready."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.wire import turn

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_CAPACITY = 64

PUSH = st.tuples(st.just("push"), st.integers(1, 90))
POP = st.tuples(st.just("pop"), st.integers(1, 90))
CLEAR = st.tuples(st.just("clear"), st.just(0))


def handles(queue: Any) -> list[int]:
    return [id(handle) for handle in queue]


def fill(loop: Any, count: int) -> list[asyncio.Handle]:
    return [loop.call_soon(str) for _ in range(count)]


@settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the factory has no state
)
@given(program=st.lists(st.one_of(PUSH, PUSH, POP, CLEAR), max_size=12))
def test_it_behaves_as_a_deque(
    loop_factory: Callable[[], asyncio.SelectorEventLoop], program: list[tuple[str, int]]
) -> None:
    loop: Any = loop_factory()
    model: deque[asyncio.Handle] = deque()
    for verb, count in program:
        if verb == "push":
            model.extend(fill(loop, count))
        elif verb == "pop":
            for _ in range(min(count, len(model))):
                assert loop._ready.popleft() is model.popleft()
        else:
            loop._ready.clear()
            model.clear()
        assert len(loop._ready) == len(model) == loop.statistics().ready_depth
        assert handles(loop._ready) == handles(model)
    loop.close()


@pytest.mark.parametrize("head", [0, 1, 31, 63])
@pytest.mark.parametrize("beyond", [0, 1, 200])
def test_it_keeps_its_order_when_it_grows_from_any_place_in_the_ring(loop: Any, head: int, beyond: int) -> None:
    fill(loop, head)
    for _ in range(head):
        loop._ready.popleft()
    pushed = fill(loop, FIRST_CAPACITY + beyond)
    assert handles(loop._ready) == handles(pushed)
    assert [id(loop._ready.popleft()) for _ in pushed] == handles(pushed)
    assert not loop._ready


def test_steps_that_make_more_steps_run_in_the_order_of_the_calls(loop: asyncio.AbstractEventLoop) -> None:
    ran: list[int] = []
    scheduled = 0

    def step(number: int) -> None:
        nonlocal scheduled
        ran.append(number)
        for _ in range(3 if scheduled < 1000 else 0):
            loop.call_soon(step, scheduled)
            scheduled += 1

    for _ in range(5):
        loop.call_soon(step, scheduled)
        scheduled += 1
    while len(ran) < scheduled:
        turn(loop, 1)
    assert ran == list(range(scheduled))
    assert scheduled >= 1000


def test_an_empty_queue_says_so(loop: Any) -> None:
    with pytest.raises(IndexError, match="The ready queue is empty"):
        loop._ready.popleft()


def test_append_takes_a_handle_of_asyncio_too(loop: Any) -> None:
    seen: list[int] = []
    loop._ready.append(asyncio.Handle(seen.append, (1,), loop))
    loop.call_soon(seen.append, 2)
    turn(loop, 1)
    assert seen == [1, 2]


def test_clear_drops_every_handle_also_those_that_a_destructor_makes_meanwhile(loop: Any) -> None:
    seen: list[str] = []
    destroyed: list[int] = []

    class Scheduling:
        def __del__(self) -> None:
            destroyed.append(len(loop._ready))
            loop.call_soon(seen.append, "from a destructor")

    for _ in range(2):
        loop.call_soon(seen.append, Scheduling())
    loop._ready.clear()
    loop.call_soon(seen.append, "after")
    turn(loop, 1)
    assert len(destroyed) == 2
    assert seen == ["after"]


def test_only_an_empty_queue_can_take_its_place(loop: Any) -> None:
    fill(loop, 3)
    with pytest.raises(ValueError, match="cannot be replaced by one that holds handles"):
        loop._ready = deque([1])
    assert len(loop._ready) == 3
    loop._ready = deque()
    assert len(loop._ready) == 0
