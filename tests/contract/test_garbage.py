"""What the loop keeps alive, what it lets go, and what happens when it is dropped open (trap 25)."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.wire import PATIENCE, Recorder, Token, attach, receive_to_end, turn, unix_pair, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Child, Run


class Holder:
    """An object in a cycle with its loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def callback(self) -> None:
        raise AssertionError("a dropped loop ran a callback")


SCHEDULERS: dict[str, Callable[[asyncio.AbstractEventLoop, Callable[[], None]], object]] = {
    "call_soon": lambda loop, callback: loop.call_soon(callback),
    "call_later": lambda loop, callback: loop.call_later(60, callback),
    "call_soon_threadsafe": lambda loop, callback: loop.call_soon_threadsafe(callback),
    "exception handler": lambda loop, callback: loop.set_exception_handler(lambda *_unused: callback()),
}


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_a_cycle_through_an_open_loop_and_a_pending_callback_is_collected(
    loop_factory: Callable[[], asyncio.SelectorEventLoop], nothing_left: None, name: str
) -> None:
    del nothing_left
    loop = loop_factory()
    holder = Holder(loop)
    SCHEDULERS[name](loop, holder.callback)
    watched = weakref.ref(holder), weakref.ref(loop)
    del loop, holder
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        gc.collect()
    assert [reference() for reference in watched] == [None, None]


def test_a_closed_loop_is_collected(loop_factory: Callable[[], asyncio.SelectorEventLoop], nothing_left: None) -> None:
    del nothing_left
    loop = loop_factory()
    loop.call_later(60, Holder(loop).callback)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    watched = weakref.ref(loop)
    del loop
    gc.collect()
    assert watched() is None


def test_a_transport_nobody_holds_lives_until_its_connection_is_lost(run: Run) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Recorder()
        await attach(protocol, ours)
        del ours
        watched = weakref.ref(protocol.transport)
        protocol.transport = None  # type: ignore[assignment]  # the test drops the last reference on purpose
        gc.collect()
        peer.send(b"still read")
        await until(lambda: protocol.data == b"still read")
        peer.close()
        await until(lambda: protocol.lost)
        await asyncio.sleep(0)
        gc.collect()
        assert watched() is None

    run(main)


def test_a_protocol_and_its_transport_are_let_go_after_connection_lost(run: Run) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Recorder()
        lost = protocol.lost
        transport = await attach(protocol, ours)
        watched = weakref.ref(protocol), weakref.ref(transport)
        transport.close()
        await until(lambda: lost)
        await asyncio.sleep(0)
        del protocol, transport
        gc.collect()
        assert [reference() for reference in watched] == [None, None]
        peer.close()

    run(main)


def test_collecting_garbage_inside_every_callback_harms_nobody(run: Run) -> None:
    class Collecting(Recorder):
        def data_received(self, data: bytes) -> None:
            gc.collect()
            super().data_received(data)

        def connection_lost(self, exc: Exception | None) -> None:
            self.transport = None  # type: ignore[assignment]  # drops the transport inside its own callback
            gc.collect()
            super().connection_lost(exc)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        protocol = Collecting()
        await attach(protocol, ours)
        del ours
        loop.call_soon(gc.collect)
        loop.call_later(0, gc.collect)
        for _ in range(3):
            peer.send(b"x")
            await asyncio.sleep(0)
        await until(lambda: protocol.data)
        peer.close()
        await until(lambda: protocol.lost)

    run(main)


def test_a_loop_may_be_dropped_by_the_callback_it_runs(
    loop_factory: Callable[[], asyncio.SelectorEventLoop], nothing_left: None
) -> None:
    del nothing_left
    holders: list[Any] = [loop_factory()]
    seen: list[str] = []

    def drop() -> None:
        loop = holders.pop()
        loop.stop()
        del loop
        gc.collect()
        seen.append("ran")

    def run_and_collect() -> None:
        holders[0].run_forever()
        gc.collect()

    holders[0].call_soon(drop)
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        run_and_collect()
    assert seen == ["ran"]


def test_an_unclosed_transport_warns_when_its_loop_is_gone(
    loop_factory: Callable[[], asyncio.SelectorEventLoop], nothing_left: None
) -> None:
    del nothing_left
    loop = loop_factory()
    ours, peer = unix_pair()
    protocol = Recorder()
    transport = loop.run_until_complete(attach(protocol, ours))
    turn(loop)
    loop.close()
    del transport, protocol, ours
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gc.collect()
    # The garbage collector may reach the socket before its transport; both warn, and either closes it.
    assert any("unclosed transport" in str(warning.message) for warning in caught)
    assert receive_to_end(peer) == b""
    peer.close()


def test_handles_dropped_by_another_thread_harm_nobody(loop: asyncio.AbstractEventLoop) -> None:
    handles = [loop.call_later(60, id, Token()) for _ in range(1000)]
    for handle in handles:
        handle.cancel()
    del handle

    def drop() -> None:
        handles.clear()
        gc.collect()

    thread = threading.Thread(target=drop)
    thread.start()
    turn(loop, 5)
    thread.join(PATIENCE)
    assert not handles


LEFT_OPEN = """
loop = new_loop()
async def forever():
    await loop.create_future()
left, right = socket.socketpair()
left.setblocking(False)
async def main():
    await loop.create_connection(asyncio.Protocol, sock=left)
loop.run_until_complete(main())
loop.call_soon(print)
loop.call_later(60, print)
loop.add_reader(right, print)
if sys.argv[1] == "in a cycle":
    loop.itself = loop
if sys.argv[1] == "in a module":
    sys.kept = loop
if sys.argv[1] == "in a thread":
    other = new_loop()
    threading.Thread(target=other.run_forever, daemon=True).start()
    while not other.is_running():
        pass
say("end")
"""


@pytest.mark.parametrize("where", ["in a global", "in a cycle", "in a module", "in a thread"])
def test_an_interpreter_that_ends_with_an_open_loop_does_not_crash(child: Child, where: str) -> None:
    process = child(LEFT_OPEN, where)
    output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output, errors) == (0, "end\n", "")
