"""The wake-up descriptor of signals: whose it is, and what a full self-pipe does (trap 22); each in a child."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.wire import PATIENCE

if TYPE_CHECKING:
    from tests.conftest import Child

FOREIGN_DESCRIPTOR = """
reading, writing = socket.socketpair()
writing.setblocking(False)
reading.setblocking(False)
def owner():
    number = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(number)
    return "foreign" if number == writing.fileno() else "none" if number == -1 else "loop"
loop = new_loop()
signal.set_wakeup_fd(writing.fileno())
words = [owner()]
seen = asyncio.Event()
loop.add_signal_handler(signal.SIGUSR1, seen.set)
words.append(owner())
async def main():
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(seen.wait(), 10)
loop.run_until_complete(main())
words.append(owner())
loop.remove_signal_handler(signal.SIGUSR1)
words.append(owner())
loop.close()
words.append(owner())
say(*words)
"""

FULL_PIPE = """
seen = []
async def main():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, seen.append, "first")
    loop.add_signal_handler(signal.SIGUSR2, seen.append, "second")
    try:
        while True:
            loop._csock.send(b"\\0" * 4096)
    except BlockingIOError:
        pass
    os.kill(os.getpid(), signal.SIGUSR1)
    while True:
        await asyncio.sleep(0)
        try:
            loop._ssock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            break
    os.kill(os.getpid(), signal.SIGUSR2)
    async with asyncio.timeout(10):
        while "second" not in seen:
            await asyncio.sleep(0)
    say(*seen)
loop = new_loop()
loop.run_until_complete(main())
loop.close()
"""


def test_a_foreign_wakeup_descriptor_is_left_until_a_signal_handler_is_added(child: Child) -> None:
    output, errors = child(FOREIGN_DESCRIPTOR).communicate(timeout=PATIENCE)
    assert (output, errors) == ("foreign loop loop none none\n", "")


def test_a_signal_while_the_self_pipe_is_full_is_told_by_python_and_the_next_one_arrives(child: Child) -> None:
    """Python writes the signal's number into the pipe and warns if it cannot; asyncio has no second way."""
    output, errors = child(FULL_PIPE).communicate(timeout=PATIENCE * 2)
    assert output == "second\n"
    assert "when trying to" in errors
    assert "signal wakeup fd" in errors
    assert "BlockingIOError" in errors
