"""Nothing grows: loops made and closed, connections made and ended, so many that a leak of one each shows.

Bounds: descriptors and tasks not by one; resident memory by at most 8 MiB after the warm-up, which is 400
bytes for each of 20,000 connections. Allocators keep arenas, so the bound is not zero.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import open_descriptors
from tests.contract.wire import turn, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Run

BOUND = 8 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")
BATCH = 50
MEASURED = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def live_loop(factory: Callable[[], asyncio.SelectorEventLoop]) -> None:
    """One life of a loop that leaves work of every kind pending."""
    loop = factory()
    left, right = socket.socketpair()
    loop.add_reader(left, print)
    loop.run_until_complete(asyncio.sleep(0))
    loop.call_soon(print)
    loop.call_later(60, print)
    loop.call_soon_threadsafe(print)
    loop.call_later(60, print).cancel()
    loop.remove_reader(left)
    loop.close()
    left.close()
    right.close()


@MEASURED
def test_five_hundred_loops_leave_neither_descriptors_nor_memory(
    loop_factory: Callable[[], asyncio.SelectorEventLoop], nothing_left: None
) -> None:
    del nothing_left
    for _ in range(50):
        live_loop(loop_factory)
    descriptors, memory = open_descriptors(), resident_bytes()
    for _ in range(500):
        live_loop(loop_factory)
    assert open_descriptors() == descriptors
    assert resident_bytes() - memory < BOUND


class Echo(asyncio.Protocol):
    ended = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        assert exc is None or isinstance(exc, ConnectionError)
        Echo.ended += 1


class Asking(asyncio.Protocol):
    """Ask once, take the answer and end; every third connection is aborted instead."""

    ended = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"question")

    def data_received(self, data: bytes) -> None:
        assert data == b"question"
        if Asking.ended % 3:
            self.transport.close()
        else:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        assert exc is None
        Asking.ended += 1


async def ended(count: int) -> None:
    await until(lambda: Asking.ended == Echo.ended == count)


async def make_connections(path: str, count: int) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(count // BATCH):
        wanted = Asking.ended + BATCH
        for _one in range(BATCH):
            await loop.create_unix_connection(Asking, path)
        await ended(wanted)


@MEASURED
@pytest.mark.timeout(120)
def test_twenty_thousand_connections_leave_neither_descriptors_tasks_nor_memory(run: Run, tmp_path: Path) -> None:
    """Both ends of each connection are transports of the loop."""
    path = str(tmp_path / "socket")
    Asking.ended = Echo.ended = 0

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(Echo, path, backlog=BATCH * 2)
        await make_connections(path, 1000)
        descriptors, memory = len(open_descriptors()), resident_bytes()
        await make_connections(path, 20_000)
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(open_descriptors()) <= descriptors
        assert len(asyncio.all_tasks()) == 1
        assert resident_bytes() - memory < BOUND
        server.close()
        await server.wait_closed()

    run(main, time_limit=100)


@MEASURED
def test_a_million_handles_and_cancelled_timers_leave_no_memory(loop: asyncio.AbstractEventLoop) -> None:
    def churn(rounds: int) -> None:
        for _ in range(rounds):
            for _one in range(1000):
                loop.call_soon(id, 1)
                loop.call_later(3600, id, 1).cancel()
            turn(loop, 1)

    churn(20)
    memory = resident_bytes()
    churn(200)
    assert resident_bytes() - memory < BOUND
