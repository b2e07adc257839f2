"""Context variables: what a callback, a transport's protocol and the exception handler see (trap 27)."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.wire import BEYOND_KERNEL, Recorder, attach, drain_peer, turn, unix_pair, until

if TYPE_CHECKING:
    from tests.conftest import Run

VALUE: contextvars.ContextVar[str] = contextvars.ContextVar("VALUE", default="unset")


def holding(value: str) -> contextvars.Context:
    context = contextvars.copy_context()
    context.run(VALUE.set, value)
    return context


@pytest.mark.parametrize("method", ["call_soon", "call_soon_threadsafe", "call_later", "call_at"])
def test_a_callback_runs_in_the_given_context_or_a_copy_of_its_callers(
    loop: asyncio.AbstractEventLoop, method: str
) -> None:
    seen: list[str] = []
    arguments: list[Any] = {"call_later": [0.0], "call_at": [loop.time()]}.get(method, [])

    def callback() -> None:
        seen.append(VALUE.get())
        VALUE.set("changed by the callback")

    given = holding("given")
    schedule: Any = getattr(loop, method)
    schedule(*arguments, callback, context=given)
    holding("the caller's").run(lambda: schedule(*arguments, callback))
    turn(loop)
    assert sorted(seen) == ["given", "the caller's"]
    assert given[VALUE] == "changed by the callback"
    assert VALUE.get() == "unset"


def test_one_context_serves_many_callbacks(loop: asyncio.AbstractEventLoop) -> None:
    shared = holding("0")
    seen: list[str] = []

    def count() -> None:
        seen.append(VALUE.get())
        VALUE.set(str(int(VALUE.get()) + 1))
        if len(seen) < 5:
            loop.call_soon(count, context=shared)

    loop.call_soon(count, context=shared)
    turn(loop, 6)
    assert seen == ["0", "1", "2", "3", "4"]


def test_every_protocol_callback_sees_the_context_of_the_connections_maker(run: Run) -> None:
    seen: dict[str, str] = {}

    class Looking(Recorder):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            seen["made"] = VALUE.get()
            super().connection_made(transport)

        def data_received(self, data: bytes) -> None:
            seen["data"] = VALUE.get()
            super().data_received(data)

        def resume_writing(self) -> None:
            seen["resume"] = VALUE.get()
            super().resume_writing()

        def eof_received(self) -> bool | None:
            seen["eof"] = VALUE.get()
            return super().eof_received()

        def connection_lost(self, exc: Exception | None) -> None:
            seen["lost"] = VALUE.get()
            super().connection_lost(exc)

    async def main() -> None:
        VALUE.set("maker")
        ours, peer = unix_pair()
        protocol = Looking()
        transport = await attach(protocol, ours)
        peer.send(b"x")
        await until(lambda: protocol.data)
        transport.write(b"x" * BEYOND_KERNEL)
        await drain_peer(peer, BEYOND_KERNEL)
        await until(lambda: "resume" in seen)
        peer.close()
        await until(lambda: protocol.lost)

    run(main)
    assert seen == dict.fromkeys(["made", "data", "resume", "eof", "lost"], "maker")


def test_what_a_protocol_callback_sets_stays_out_of_other_connections_and_tasks(run: Run) -> None:
    class Setting(Recorder):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name
            self.seen: set[str] = set()

        def data_received(self, data: bytes) -> None:
            self.seen.add(VALUE.get())
            VALUE.set(self.name)
            super().data_received(data)

    async def main() -> None:
        pairs = [unix_pair() for _ in range(3)]
        protocols = [Setting(str(number)) for number in range(3)]
        for protocol, (ours, _peer) in zip(protocols, pairs, strict=True):
            await attach(protocol, ours)
        for _ in range(3):
            for protocol, (_ours, peer) in zip(protocols, pairs, strict=True):
                protocol.data.clear()
                peer.send(b"x")
            await until(lambda: all(protocol.data for protocol in protocols))
        assert VALUE.get() == "unset"
        for protocol, (_ours, peer) in zip(protocols, pairs, strict=True):
            assert protocol.seen <= {"unset", protocol.name}
            protocol.transport.close()
            peer.close()

    run(main)


def test_readers_and_signal_handlers_run_in_the_context_of_their_maker(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen: dict[str, str] = {}
        ours, peer = unix_pair()

        def read() -> None:
            seen["reader"] = VALUE.get()

        def handle() -> None:
            seen["signal"] = VALUE.get()

        holding("reader's").run(loop.add_reader, ours, read)
        holding("signal's").run(loop.add_signal_handler, signal.SIGUSR1, handle)
        peer.send(b"x")
        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: len(seen) == 2)
        assert seen == {"reader": "reader's", "signal": "signal's"}
        loop.remove_reader(ours)
        loop.remove_signal_handler(signal.SIGUSR1)
        ours.close()
        peer.close()

    run(main)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the handler runs in the callback's context since 3.12")
def test_the_exception_handler_sees_the_failing_callbacks_context_after_it_was_left(
    loop: asyncio.AbstractEventLoop,
) -> None:
    seen: list[str] = []
    loop.set_exception_handler(lambda _loop, _context: seen.append(VALUE.get()))

    def fail() -> None:
        VALUE.set("set by the callback")
        raise ZeroDivisionError

    loop.call_soon(fail, context=holding("given"))
    turn(loop, 1)
    # A context cannot be entered twice: had the callback's not been left, entering it here would have failed.
    assert seen == ["set by the callback"]


def test_a_context_that_is_already_entered_fails_its_callback_only(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture, loop_errors: list[dict[str, Any]]
) -> None:
    entered = holding("entered")
    seen: list[str] = []

    def nested() -> None:
        loop.call_soon(seen.append, "wrong", context=entered)
        loop.call_soon(seen.append, "right")
        turn(loop, 1)

    entered.run(nested)
    assert seen == ["right"]
    told = [str(context["exception"]) for context in loop_errors] + [caplog.text]
    assert any("cannot enter context" in words for words in told)
    loop_errors.clear()


def test_tasks_keep_their_own_context(run: Run) -> None:
    async def worker(value: str) -> str:
        VALUE.set(value)
        for _ in range(5):
            await asyncio.sleep(0)
        return VALUE.get()

    async def main() -> None:
        values = [str(number) for number in range(20)]
        assert await asyncio.gather(*(worker(value) for value in values)) == values
        assert VALUE.get() == "unset"

    run(main)
