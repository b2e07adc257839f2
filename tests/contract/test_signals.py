"""Signals: handlers on the loop, exceptions that leave a run, and idle polls that wake up (trap 22)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.wire import PATIENCE, Recorder, attach, turn, unix_pair, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Child, Run


@pytest.fixture
def usual_signals() -> Iterator[None]:
    """Put back the handlers and the wake-up descriptor a test may change."""
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    signal.set_wakeup_fd(-1)


@pytest.mark.usefixtures("usual_signals")
def test_a_signal_handler_runs_on_the_loop_with_its_arguments(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen: list[tuple[str, bool]] = []

        def handler(word: str) -> None:
            seen.append((word, asyncio.get_running_loop() is loop))

        loop.add_signal_handler(signal.SIGUSR1, handler, "word")
        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: seen)
        assert seen == [("word", True)]
        assert loop.remove_signal_handler(signal.SIGUSR1) is True
        assert loop.remove_signal_handler(signal.SIGUSR1) is False

    run(main)


@pytest.mark.usefixtures("usual_signals")
def test_a_signal_wakes_an_idle_loop(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, arrived.set)
        timer = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR1))
        timer.start()
        await arrived.wait()
        timer.join(PATIENCE)
        loop.remove_signal_handler(signal.SIGUSR1)

    run(main)


@pytest.mark.usefixtures("usual_signals")
def test_a_burst_of_different_signals_is_delivered_whole(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        numbers = {signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH}
        seen: set[int] = set()
        for number in numbers:
            loop.add_signal_handler(number, seen.add, number)
        for number in numbers:
            os.kill(os.getpid(), number)
        await until(lambda: seen == numbers)
        for number in numbers:
            loop.remove_signal_handler(number)

    run(main)


@pytest.mark.usefixtures("usual_signals")
def test_a_replaced_signal_handler_is_the_only_one_that_runs(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen: list[str] = []
        loop.add_signal_handler(signal.SIGUSR1, seen.append, "old")
        loop.add_signal_handler(signal.SIGUSR1, seen.append, "new")
        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: seen)
        assert seen == ["new"]
        loop.remove_signal_handler(signal.SIGUSR1)

    run(main)


@pytest.mark.usefixtures("usual_signals")
def test_close_puts_the_default_handling_back(loop: asyncio.AbstractEventLoop) -> None:
    loop.add_signal_handler(signal.SIGUSR1, print)
    loop.close()
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


@pytest.mark.usefixtures("usual_signals")
def test_a_run_without_signal_handlers_leaves_a_foreign_wakeup_descriptor_alone(
    loop: asyncio.AbstractEventLoop,
) -> None:
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.fileno())
    turn(loop)
    loop.close()
    assert signal.set_wakeup_fd(-1) == writing.fileno()
    reading.close()
    writing.close()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_callback_that_interrupts_leaves_the_rest_of_the_batch_for_the_next_run(
    loop: asyncio.AbstractEventLoop, error: type[BaseException]
) -> None:
    seen: list[str] = []

    def interrupt() -> None:
        raise error

    loop.call_soon(seen.append, "before")
    loop.call_soon(interrupt)
    loop.call_soon(seen.append, "after")
    with pytest.raises(error):
        loop.run_forever()
    assert seen[0] == "before"
    assert not loop.is_running()
    turn(loop, 1)
    assert seen == ["before", "after"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_from_data_received_leaves_the_run_and_the_other_connection_works(
    loop: asyncio.AbstractEventLoop, error: type[BaseException]
) -> None:
    class Interrupting(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            raise error

    (ours, peer), (other, other_peer) = unix_pair(), unix_pair()
    interrupting, quiet = Interrupting(), Recorder()
    for protocol, end in ((interrupting, ours), (quiet, other)):
        loop.run_until_complete(attach(protocol, end))
    peer.send(b"x")
    other_peer.send(b"y")
    with pytest.raises(error):
        loop.run_forever()
    assert interrupting.data == b"x"
    turn(loop)
    assert quiet.data == b"y"
    interrupting.transport.abort()
    quiet.transport.abort()
    turn(loop)
    peer.close()
    other_peer.close()


def test_an_interrupted_task_carries_the_exception_and_the_loop_runs_again(
    loop: asyncio.AbstractEventLoop,
) -> None:
    async def interrupt() -> None:
        await asyncio.sleep(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(interrupt())
    assert loop.run_until_complete(asyncio.sleep(0, "again")) == "again"


def test_signal_handlers_belong_to_the_main_thread(loop: asyncio.AbstractEventLoop) -> None:
    caught: list[BaseException] = []

    def add() -> None:
        try:
            loop.add_signal_handler(signal.SIGUSR1, print)
        except (RuntimeError, ValueError) as error:
            caught.append(error)

    thread = threading.Thread(target=add)
    thread.start()
    thread.join(PATIENCE)
    assert [type(error) for error in caught] == [RuntimeError]
    assert "main thread" in str(caught[0])


IDLE = """
loop = new_loop()
loop.call_soon(say, "idle")
try:
    loop.run_forever()
except KeyboardInterrupt:
    say("interrupted")
loop.call_soon(loop.stop)
loop.run_forever()
loop.close()
say("closed")
"""

IDLE_RUNNER = """
async def main():
    say("idle")
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        say("cancelled")
        raise
try:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
except KeyboardInterrupt:
    say("interrupted")
"""


@pytest.mark.parametrize(
    ("source", "words"),
    [(IDLE, "interrupted closed"), (IDLE_RUNNER, "cancelled interrupted")],
    ids=["run_forever", "Runner"],
)
def test_sigint_interrupts_an_idle_poll(child: Child, source: str, words: str) -> None:
    process = child(source)
    assert process.stdout is not None
    assert process.stdout.readline() == "idle\n"
    # The child may not have reached its poll yet; the interrupt must work before, in and after it.
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output.split(), errors) == (0, words.split(), "")


def test_an_uncaught_interrupt_ends_the_program_as_python_does(child: Child) -> None:
    process = child(IDLE_RUNNER.replace("except KeyboardInterrupt", "except ZeroDivisionError"))
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGINT


@pytest.mark.usefixtures("usual_signals")
def test_a_python_handler_that_raises_leaves_an_idle_poll(loop: asyncio.AbstractEventLoop) -> None:
    class Alarmed(Exception):  # noqa: N818  named for what happened
        pass

    def alarm(*_unused: Any) -> None:
        raise Alarmed

    signal.signal(signal.SIGUSR1, alarm)
    timer = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    with pytest.raises(Alarmed), contextlib.closing(loop):
        loop.run_forever()
    timer.join(PATIENCE)
