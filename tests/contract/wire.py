"""What contract tests talk over: connected sockets, protocols that write down their calls, a bounded wait.

Costs: a pair is two descriptors; `until` spins through the loop, bounded by the time limit of `run`.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 10.0  # seconds a blocking read of a raw peer may take before it counts as lost
BEYOND_KERNEL = 4 << 20  # bytes that no pair of socket buffers of these tests takes in at once


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until the condition holds."""
    while not condition():  # noqa: ASYNC110  most conditions are the kernel's: no event tells of them
        await asyncio.sleep(0)


async def received(protocol: Recorder | BufferedRecorder, count: int) -> None:
    """Let the loop turn until a protocol has `count` bytes."""
    await until(lambda: len(protocol.data) >= count)


def turn(loop: asyncio.AbstractEventLoop, times: int = 3) -> None:
    """Run a loop that is not running for some turns; callbacks queued by a turn run in the next."""
    for _ in range(times):
        loop.call_soon(loop.stop)
        loop.run_forever()


class Token:
    """An object a test can watch die."""


class Recorder(asyncio.Protocol):
    """Write down each call of the transport in order; `calls` has their names, `data` the bytes."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.data = bytearray()
        self.chunks: list[bytes] = []
        self.lost: list[Exception | None] = []
        self.keep_open_after_eof = False
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.calls.append("connection_made")
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.calls.append("data_received")
        self.chunks.append(data)
        self.data += data

    def eof_received(self) -> bool | None:
        self.calls.append("eof_received")
        return self.keep_open_after_eof

    def pause_writing(self) -> None:
        self.calls.append("pause_writing")

    def resume_writing(self) -> None:
        self.calls.append("resume_writing")

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append("connection_lost")
        self.lost.append(exc)


class BufferedRecorder(asyncio.BufferedProtocol):
    """Recorder's twin on the buffered interface, with a buffer of `size` bytes."""

    def __init__(self, size: int = 64) -> None:
        self.buffer = bytearray(size)
        self.calls: list[str] = []
        self.data = bytearray()
        self.lost: list[Exception | None] = []
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.calls.append("connection_made")
        self.transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> bytearray:
        assert isinstance(sizehint, int)
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.calls.append("buffer_updated")
        self.data += self.buffer[:nbytes]

    def eof_received(self) -> bool | None:
        self.calls.append("eof_received")
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append("connection_lost")
        self.lost.append(exc)


def unix_pair() -> tuple[socket.socket, socket.socket]:
    """Return a non-blocking end for the loop and a raw end with a time limit."""
    ours, peer = socket.socketpair()
    ours.setblocking(False)
    peer.settimeout(PATIENCE)
    return ours, peer


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Return the same over loopback TCP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = socket.create_connection(listener.getsockname(), timeout=PATIENCE)
        ours, _address = listener.accept()
    ours.setblocking(False)
    peer.settimeout(PATIENCE)
    return ours, peer


async def attach(protocol: asyncio.BaseProtocol, ours: socket.socket) -> asyncio.Transport:
    """Give a connected socket to the running loop."""
    loop = asyncio.get_running_loop()
    transport, _protocol = await loop.create_connection(lambda: protocol, sock=ours)
    return transport


async def drain_peer(peer: socket.socket, count: int) -> bytes:
    """Read `count` bytes from a raw peer while the loop goes on turning."""
    peer.setblocking(False)
    got = bytearray()
    while len(got) < count:
        try:
            piece = peer.recv(1 << 20)
        except BlockingIOError:
            await asyncio.sleep(0)
            continue
        if not piece:
            break
        got += piece
    peer.settimeout(PATIENCE)
    return bytes(got)


def receive_exactly(peer: socket.socket, count: int) -> bytes:
    """Read `count` bytes from a raw peer, fewer only at its end of file."""
    got = bytearray()
    while len(got) < count:
        piece = peer.recv(min(count - len(got), 1 << 20))
        if not piece:
            break
        got += piece
    return bytes(got)


def receive_to_end(peer: socket.socket) -> bytes:
    got = bytearray()
    while piece := peer.recv(1 << 20):
        got += piece
    return bytes(got)
