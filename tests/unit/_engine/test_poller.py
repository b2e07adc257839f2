"""The table of watched fds: how it grows, what it tells, and how long a poller is asked to sleep."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import random
import selectors
import socket
from typing import TYPE_CHECKING, Any

import pytest

from clearloop.loop.event_loop import EventLoop
from tests.contract.wire import turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIRST_CAPACITY = 64
SIDES = ("reader", "writer")
MASKS = {"reader": selectors.EVENT_READ, "writer": selectors.EVENT_WRITE}


@pytest.fixture
def many() -> Iterator[list[socket.socket]]:
    """Give so many connected sockets, each readable, that the table must grow more than once."""
    with contextlib.ExitStack() as stack:
        sockets: list[socket.socket] = []
        for _ in range(2 * FIRST_CAPACITY):
            left, right = socket.socketpair()
            stack.enter_context(left)
            stack.enter_context(right).send(b"x")
            sockets.append(left)
        yield sockets


@pytest.fixture
def native() -> Iterator[Any]:
    """Give a loop on the platform's native poller, whose selector shows the table."""
    with contextlib.closing(EventLoop()) as loop:
        if loop._poller_name().startswith("selectors"):
            pytest.skip("this platform, or CLEARLOOP_POLLER, gives no native poller")
        yield loop


def watched(loop: Any) -> dict[int, int]:
    """Return {fd: events} of what the loop watches, but for its own wake-up sockets."""
    keys = loop._selector.get_map().values()
    return {key.fd: key.events for key in keys if key.fd != loop._ssock.fileno() and key.data is not None}


def turn_until(loop: EventLoop, condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        turn(loop, 1)
    pytest.fail("nothing came of 1000 turns")


def test_every_fd_of_a_table_that_grew_is_served(loop: EventLoop, many: list[socket.socket]) -> None:
    seen: set[int] = set()
    for end in many:
        loop.add_reader(end.fileno(), seen.add, end.fileno())
    expected = {end.fileno() for end in many}
    assert max(expected) > FIRST_CAPACITY
    turn_until(loop, lambda: seen == expected)
    assert all(loop.remove_reader(end.fileno()) for end in many)
    seen.clear()
    turn(loop)
    assert not seen
    assert not any(loop.remove_reader(end.fileno()) for end in many)


def test_a_fd_far_beyond_the_table_is_served(loop: EventLoop) -> None:
    left, right = socket.socketpair()
    far = fcntl.fcntl(left, fcntl.F_DUPFD, 7 * FIRST_CAPACITY)
    seen: list[int] = []
    try:
        right.send(b"x")
        assert loop.remove_reader(far) is False
        loop.add_reader(far, seen.append, far)
        turn_until(loop, lambda: bool(seen))
        assert loop.remove_reader(far) is True
    finally:
        os.close(far)
        left.close()
        right.close()


@pytest.mark.parametrize("seed", range(3))
def test_a_random_program_of_readers_and_writers(loop: Any, many: list[socket.socket], seed: int) -> None:
    chance = random.Random(seed)
    added: dict[tuple[int, str], int] = {}
    ran: set[tuple[int, str, int]] = set()
    for number in range(1500):
        fd, side = chance.choice(many).fileno(), chance.choice(SIDES)
        if chance.random() < 0.6:
            getattr(loop, f"add_{side}")(fd, lambda *words: ran.add(words), fd, side, number)
            added[fd, side] = number
        else:
            assert getattr(loop, f"remove_{side}")(fd) is (added.pop((fd, side), None) is not None)
    model: dict[int, int] = {}
    for fd, side in added:
        model[fd] = model.get(fd, 0) | MASKS[side]
    assert watched(loop) == model
    expected = {(fd, side, number) for (fd, side), number in added.items()}
    turn_until(loop, lambda: len(ran) >= len(expected))
    assert ran == expected  # the callback that was added last, and no other
    for fd, side in added:
        assert getattr(loop, f"remove_{side}")(fd) is True
    assert watched(loop) == {}


def test_the_selector_of_a_native_loop_shows_what_it_watches(native: Any) -> None:
    left, right = socket.socketpair()
    with left, right:
        native.add_reader(left, str)
        key = native._selector.get_key(left)
        assert (key.fileobj, key.fd, key.events) == (left, left.fileno(), selectors.EVENT_READ)
        native.add_writer(left.fileno(), str)
        assert native._selector.get_key(left).events == selectors.EVENT_READ | selectors.EVENT_WRITE
        reader, writer = native._selector.get_key(left.fileno()).data
        assert (reader.cancelled(), writer.cancelled()) == (False, False)
        with pytest.raises(KeyError):
            native._selector.get_key(right)
        native.remove_reader(left)
        assert native._selector.get_key(left).data == (None, writer)
        native.remove_writer(left)
        with pytest.raises(KeyError):
            native._selector.get_key(left)


def test_the_selector_of_a_native_loop_shows_transports(native: Any) -> None:
    left, right = socket.socketpair()

    async def main() -> None:
        transport, _protocol = await native.create_connection(asyncio.Protocol, sock=left)
        await asyncio.sleep(0)
        assert native._selector.get_key(left.fileno()).data == (transport, None)
        transport.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    with right:
        native.run_until_complete(main())
        assert watched(native) == {}


class Recording(selectors.DefaultSelector):
    """Writes down how long it was asked to sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.timeouts: list[float | None] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.timeouts.append(timeout)
        found: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
        return found


def test_the_fallback_poller_sleeps_until_the_next_timer() -> None:
    selector = Recording()
    with contextlib.closing(EventLoop(selector=selector)) as loop:
        loop.call_later(0.02, loop.stop)
        loop.run_forever()
        assert selector.timeouts[0] == pytest.approx(0.02, abs=0.005)
        assert len(selector.timeouts) <= 3


def test_the_fallback_poller_sleeps_for_ever_without_timers_and_not_at_all_with_work() -> None:
    selector = Recording()
    left, right = socket.socketpair()
    with left, right, contextlib.closing(EventLoop(selector=selector)) as loop:
        right.send(b"x")
        loop.add_reader(left, loop.stop)
        loop.run_forever()
        loop.remove_reader(left)
        assert selector.timeouts == [None]
        turn(loop, 5)
        assert set(selector.timeouts[1:]) <= {0}


def test_a_poller_tells_its_name(loop: Any, flavour: str) -> None:
    assert loop._poller_name().startswith("selectors (") is (flavour == "clearloop-selectors")
