"""What a step wrote before it forks is sent once, by the parent (trap 23)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.wire import PATIENCE

if TYPE_CHECKING:
    from tests.conftest import Child

WRITE_THEN_FORK = """
async def main():
    left, right = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=left)
    writer.write(b"once;")
    pid = os.fork()
    if pid == 0:
        sys.stderr = open(os.devnull, "w")  # it warns of its copies of what the parent goes on to use
        sys.exit(0)
    _pid, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
    writer.write(b"then more")
    writer.close()
    await writer.wait_closed()
    got = b""
    while piece := right.recv(100):
        got += piece
    right.close()
    say(got.decode())
loop = new_loop()
loop.run_until_complete(main())
loop.close()
"""


def test_bytes_written_in_the_step_that_forks_arrive_once(child: Child) -> None:
    output, errors = child(WRITE_THEN_FORK).communicate(timeout=PATIENCE)
    assert (output, errors) == ("once;then more\n", "")
