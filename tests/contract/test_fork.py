"""A loop across fork: the child makes its own, the parent's goes on, SIGCHLD stays its owner's (trap 23)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.wire import PATIENCE

if TYPE_CHECKING:
    from tests.conftest import Child

FORKED_LOOP_IS_NOT_RUNNING = """
async def main():
    pid = os.fork()
    if pid == 0:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            loop = new_loop()
            assert loop.run_until_complete(asyncio.sleep(0.001, 42)) == 42
            loop.close()
            os._exit(0)
        os._exit(1)
    _pid, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    await asyncio.sleep(0.001)
    say("parent goes on")
loop = new_loop()
loop.run_until_complete(main())
loop.close()
"""

CHILD_CLOSES_THE_INHERITED_LOOP = """
loop = new_loop()
loop.run_until_complete(asyncio.sleep(0))
left, right = socket.socketpair()
readable = asyncio.Event()
loop.add_reader(left, readable.set)
pid = os.fork()
if pid == 0:
    loop.close()
    os._exit(0)
_pid, status = os.waitpid(pid, 0)
assert os.waitstatus_to_exitcode(status) == 0
async def main():
    woken = loop.create_future()
    threading.Timer(0.01, loop.call_soon_threadsafe, (woken.set_result, None)).start()
    await asyncio.wait_for(woken, 5)
    right.send(b"x")
    await asyncio.wait_for(readable.wait(), 5)
    say("parent goes on")
loop.run_until_complete(main())
loop.close()
"""

CHILD_WAKES_ITS_OWN_LOOP_ONLY = """
loop = new_loop()
loop.run_until_complete(asyncio.sleep(0))
seen = []
pid = os.fork()
if pid == 0:
    loop.call_soon_threadsafe(seen.append, "child")
    os._exit(0)
os.waitpid(pid, 0)
loop.run_until_complete(asyncio.sleep(0.01))
assert seen == [], seen
loop.close()
say("parent goes on")
"""

CONNECTION_LIVES_IN_THE_PARENT = """
async def main():
    left, right = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=left)
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    writer.write(b"question")
    await asyncio.sleep(0)
    assert right.recv(100) == b"question"
    right.send(b"answer")
    assert await reader.read(100) == b"answer"
    writer.close()
    await writer.wait_closed()
    right.close()
    say("parent goes on")
loop = new_loop()
loop.run_until_complete(main())
loop.close()
"""

SIGCHLD_STAYS_ITS_OWNERS = """
import subprocess
arrived = []
signal.signal(signal.SIGCHLD, lambda number, frame: arrived.append(number))
handler = signal.getsignal(signal.SIGCHLD)
async def main():
    foreign = subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(7)"])
    ours = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "raise SystemExit(3)")
    assert await ours.wait() == 3
    assert foreign.wait(10) == 7
loop = new_loop()
loop.run_until_complete(main())
loop.run_until_complete(loop.shutdown_default_executor())
loop.close()
assert signal.getsignal(signal.SIGCHLD) is handler
assert arrived
say("parent goes on")
"""


def goes_on(child: Child, source: str) -> None:
    output, errors = child(source).communicate(timeout=PATIENCE * 2)
    assert (output, errors) == ("parent goes on\n", "")


@pytest.mark.parametrize(
    "source",
    [
        FORKED_LOOP_IS_NOT_RUNNING,
        CHILD_WAKES_ITS_OWN_LOOP_ONLY,
        CONNECTION_LIVES_IN_THE_PARENT,
        SIGCHLD_STAYS_ITS_OWNERS,
    ],
    ids=[
        "a forked child makes its own loop",
        "a child's threadsafe call is not the parent's",
        "a connection outlives a fork",
        "a foreign SIGCHLD handler and child are left alone",
    ],
)
def test_the_parents_loop_survives_a_fork(child: Child, source: str) -> None:
    goes_on(child, source)


@pytest.mark.only_clearloop(reason="cpython#94454: asyncio's close() in a child edits the parent's epoll set")
def test_a_child_that_closes_the_inherited_loop_leaves_the_parents_registrations(child: Child) -> None:
    goes_on(child, CHILD_CLOSES_THE_INHERITED_LOOP)
