"""The timer heap against a small model, on a loop whose clock the test moves: nothing here waits."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.wire import turn

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

FIRST_CAPACITY = 64

# A step of a program: its verb, seconds or a timer's number, and what a timer does when it runs.
Step = tuple[str, int, "Step | None"]

CANCEL = st.tuples(st.just("cancel"), st.integers(0, 200), st.none())
PLAIN = st.one_of(CANCEL, st.tuples(st.sampled_from(["later", "at"]), st.integers(-2, 12), st.none()))
TIMER = st.tuples(st.sampled_from(["later", "at"]), st.integers(-2, 12), st.none() | PLAIN)
MOVE = st.tuples(st.just("move"), st.integers(0, 4), st.none())
PROGRAM: st.SearchStrategy[list[Step]] = st.lists(st.one_of(TIMER, TIMER, CANCEL, MOVE), max_size=60)


@dataclass
class Model:
    """What the heap must do: timers by (deadline, order of the calls), those waiting in a list."""

    now: int = 0
    made: int = 0
    waiting: list[tuple[int, int, Step | None]] = field(default_factory=list)
    due: list[tuple[int, int, Step | None]] = field(default_factory=list)
    ran: list[int] = field(default_factory=list)

    def act(self, step: Step) -> None:
        verb, number, then = step
        if verb == "cancel":
            self.waiting = [timer for timer in self.waiting if timer[1] != number]
            self.due = [timer for timer in self.due if timer[1] != number]
        else:
            when = number if verb == "at" else self.now + number
            self.waiting.append((when, self.made, then))
            self.made += 1

    def move(self, seconds: int) -> None:
        self.now += seconds
        self.due = sorted((timer for timer in self.waiting if timer[0] <= self.now), key=lambda timer: timer[:2])
        self.waiting = [timer for timer in self.waiting if timer[0] > self.now]
        while self.due:
            _when, number, then = self.due.pop(0)
            self.ran.append(number)
            if then is not None:
                self.act(then)


class Driver:
    """Does with a loop what the model does by itself."""

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self.now = 0
        self.handles: list[asyncio.TimerHandle] = []
        self.ran: list[int] = []
        loop.time = lambda: float(self.now)

    def act(self, step: Step) -> None:
        verb, number, then = step
        if verb == "cancel":
            if number < len(self.handles):
                self.handles[number].cancel()
        elif verb == "at":
            self.handles.append(self.loop.call_at(number, self.fire, len(self.handles), then))
        else:
            self.handles.append(self.loop.call_later(number, self.fire, len(self.handles), then))

    def fire(self, number: int, then: Step | None) -> None:
        self.ran.append(number)
        if then is not None:
            self.act(then)

    def move(self, seconds: int) -> None:
        self.now += seconds
        turn(self.loop, 1)


def follow(loop: Any, program: list[Step]) -> None:
    """Let the model and the loop do a program; they must agree after every step of it."""
    model, driver = Model(), Driver(loop)
    for step in program:
        for actor in (model, driver):
            if step[0] == "move":
                actor.move(step[1])
            else:
                actor.act(step)
        assert driver.ran == model.ran
        waiting = {number for _when, number, _then in model.waiting}
        assert len(loop._scheduled) == len(waiting) == loop.statistics().timers
        assert {id(handle) for handle in loop._scheduled} == {id(driver.handles[number]) for number in waiting}


@settings(
    derandomize=True,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the factory has no state
)
@given(program=PROGRAM)
def test_a_program_of_timers_runs_as_the_model_does(
    loop_factory: Callable[[], asyncio.SelectorEventLoop], program: list[Step]
) -> None:
    loop = loop_factory()
    follow(loop, program)
    loop.close()


@pytest.mark.parametrize("seed", range(3))
def test_a_long_program_fills_many_levels_of_the_heap(loop: Any, seed: int) -> None:
    chance = random.Random(seed)

    def some_step() -> Step:
        kind = chance.random()
        if kind < 0.02:
            return ("move", chance.randrange(20), None)
        if kind < 0.45:
            return ("cancel", chance.randrange(1200), None)
        then: Step | None = ("cancel", chance.randrange(1200), None) if kind > 0.9 else None
        return ("later", chance.randrange(2000), then)

    follow(loop, [some_step() for _ in range(1200)])


def test_equal_deadlines_run_first_in_first_out_however_the_heap_was_shuffled(loop: Any) -> None:
    now = [0.0]
    loop.time = lambda: now[0]
    seen: list[int] = []
    others = []
    for number in range(4 * FIRST_CAPACITY):
        loop.call_at(10, seen.append, number)
        others.append(loop.call_at(number % 7, seen.append, -1))
    for handle in others:
        handle.cancel()
    now[0] = 10.0
    turn(loop, 1)
    assert seen == list(range(4 * FIRST_CAPACITY))


@pytest.mark.parametrize("order", ["first to last", "last to first", "shuffled"])
def test_a_cancelled_timer_leaves_the_heap_at_once(loop: Any, order: str) -> None:
    timers = [loop.call_later(1000 + number, str) for number in range(3 * FIRST_CAPACITY)]
    if order == "last to first":
        timers.reverse()
    elif order == "shuffled":
        random.Random(0).shuffle(timers)
    for left in reversed(range(len(timers))):
        timers[-1].cancel()
        timers[-1].cancel()  # the second time there is nothing to take out
        timers.pop()
        assert len(loop._scheduled) == left
    assert list(loop._scheduled) == []


def test_the_first_of_the_heap_is_the_earliest(loop: Any) -> None:
    chance = random.Random(1)
    timers = [loop.call_at(chance.randrange(10**6), str) for _ in range(3 * FIRST_CAPACITY)]
    while timers:
        earliest = next(iter(loop._scheduled))
        assert earliest.when() == min(timer.when() for timer in timers)
        timers.remove(earliest)
        earliest.cancel()


def test_a_timer_that_is_due_or_ran_is_not_in_the_heap_and_may_be_cancelled(loop: Any) -> None:
    now = [0.0]
    loop.time = lambda: now[0]
    seen: list[str] = []
    second: asyncio.TimerHandle

    def first_fires() -> None:
        seen.append("first")
        assert len(loop._scheduled) == 1
        second.cancel()

    first = loop.call_at(1, first_fires)
    second = loop.call_at(1, seen.append, "second")
    third = loop.call_at(2, seen.append, "third")
    now[0] = 1.0
    turn(loop, 1)
    first.cancel()
    assert seen == ["first"]
    assert list(loop._scheduled) == [third]


def test_clear_drops_every_timer_also_those_that_a_destructor_makes_or_cancels(loop: Any) -> None:
    seen: list[str] = []
    destroyed: list[int] = []
    bystander: asyncio.TimerHandle = loop.call_later(-2, seen.append, "bystander")

    class Scheduling:
        def __del__(self) -> None:
            destroyed.append(len(loop._scheduled))
            bystander.cancel()
            loop.call_later(-1, seen.append, "from a destructor")

    for _ in range(2):
        loop.call_later(-1, seen.append, Scheduling())
    loop._scheduled.clear()
    loop.call_later(-1, seen.append, "after")
    turn(loop, 1)
    assert len(destroyed) == 2
    assert seen == ["after"]


def test_only_an_empty_heap_can_take_its_place(loop: Any) -> None:
    loop.call_later(1000, str)
    with pytest.raises(ValueError, match="cannot be replaced by one that holds handles"):
        loop._scheduled = [1]
    assert len(loop._scheduled) == 1
    loop._scheduled = []
    assert len(loop._scheduled) == 0
    assert loop._timer_cancelled_count == 0
