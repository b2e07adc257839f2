"""System calls that fail at a chosen moment: accept with ECONNABORTED (trap 18), shutdown behind the last bytes.

No kernel can be asked for these failures at a given instant (Linux hands a reset connection to accept as a good one),
so a library of a few lines, built here and loaded before libc, lets the next call fail when a variable says so.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.contract.wire import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Child

FAILING_CALLS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

int accepts_to_fail = 0, accepts_failed = 0, shutdowns_to_fail = 0, shutdowns_failed = 0;

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
    int (*real)(int, struct sockaddr *, socklen_t *, int) = dlsym(RTLD_NEXT, "accept4");
    if (accepts_to_fail > 0) { accepts_to_fail--; accepts_failed++; errno = ECONNABORTED; return -1; }
    return real(fd, address, length, flags);
}

int shutdown(int fd, int how) {
    int (*real)(int, int) = dlsym(RTLD_NEXT, "shutdown");
    if (shutdowns_to_fail > 0) { shutdowns_to_fail--; shutdowns_failed++; errno = ENOTCONN; return -1; }
    return real(fd, how);
}
"""

PRELUDE = """
import ctypes, errno
preloaded = ctypes.CDLL(None)
def fault(name):
    return ctypes.c_int.in_dll(preloaded, name)
errors = []
class Recorder(asyncio.Protocol):
    def __init__(self):
        self.lost = []
        self.data = b""
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        self.data += data
    def connection_lost(self, exc):
        self.lost.append(exc)
async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)
def run(main):
    loop = new_loop()
    loop.set_exception_handler(lambda _loop, context: errors.append(context))
    loop.run_until_complete(main(loop))
    loop.close()
"""

ABORTED_ACCEPTS = (
    PRELUDE
    + """
async def main(loop):
    made = []
    def factory():
        made.append(Recorder())
        return made[-1]
    server = await loop.create_server(factory, "127.0.0.1", 0)
    fault("accepts_to_fail").value = 3
    clients = [socket.create_connection(server.sockets[0].getsockname(), timeout=10) for _ in range(5)]
    for client in clients:
        client.sendall(b"heard")
    await until(lambda: len(made) == 5 and all(protocol.data == b"heard" for protocol in made))
    for client in clients:
        client.close()
    await until(lambda: all(protocol.lost for protocol in made))
    server.close()
    await server.wait_closed()
    say(len(made), "served,", fault("accepts_failed").value, "failed, reported:", errors)
run(main)
"""
)

SHUTDOWN_BEHIND_THE_LAST_BYTES = (
    PRELUDE
    + """
async def main(loop):
    left, right = socket.socketpair()
    right.setblocking(False)
    protocol = Recorder()
    transport, _ = await loop.create_connection(lambda: protocol, sock=left)
    transport.write(b"x" * (4 << 20))
    transport.write_eof()
    assert fault("shutdowns_failed").value == 0
    fault("shutdowns_to_fail").value = 1
    got = 0
    while got < 4 << 20:
        try:
            got += len(right.recv(1 << 20))
        except BlockingIOError:
            await asyncio.sleep(0)
    await until(lambda: protocol.lost)
    (error,) = protocol.lost
    await asyncio.sleep(0)
    right.close()
    again, peer = socket.socketpair()
    second = Recorder()
    transport, _ = await loop.create_connection(lambda: second, sock=again)
    peer.send(b"goes on")
    await until(lambda: second.data == b"goes on")
    transport.close()
    await until(lambda: second.lost)
    peer.close()
    say(errno.errorcode[error.errno], fault("shutdowns_failed").value, "failed, reported:", errors)
run(main)
"""
)


@pytest.fixture
def failing_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("needs Linux's LD_PRELOAD and a C compiler")
    source, library = tmp_path / "failing_calls.c", tmp_path / "failing_calls.so"
    source.write_text(FAILING_CALLS)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(library))


@pytest.mark.usefixtures("failing_calls")
def test_an_aborted_connection_is_skipped_and_accepting_goes_on(child: Child) -> None:
    output, errors = child(ABORTED_ACCEPTS).communicate(timeout=PATIENCE * 2)
    assert (output, errors) == ("5 served, 3 failed, reported: []\n", "")


@pytest.mark.usefixtures("failing_calls")
@pytest.mark.asyncio_wrong(True, reason="it tells the exception handler, and the connection is never lost")
def test_a_shutdown_that_fails_behind_the_last_bytes_is_told_to_connection_lost(child: Child) -> None:
    output, errors = child(SHUTDOWN_BEHIND_THE_LAST_BYTES).communicate(timeout=PATIENCE * 2)
    assert (output, errors) == ("ENOTCONN 1 failed, reported: []\n", "")
