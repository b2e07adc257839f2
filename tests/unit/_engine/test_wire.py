"""Bytes written in any way, size and kind arrive in order, whatever the peer reads at a time."""

from __future__ import annotations

import asyncio
import random
import socket
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.wire import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn

LARGEST = 300 * 1024
SOURCE = random.Random(0).randbytes(8 << 20)  # no two places of it look alike
KINDS = ("bytes", "bytearray", "memoryview", "read-only memoryview", "memoryview of numbers")

Piece = tuple[str, int]
Step = tuple[str, list[Piece]]

SIZES = st.one_of(st.integers(0, 100), st.integers(0, 20_000), st.integers(0, LARGEST))
PIECE = st.tuples(st.sampled_from(KINDS), SIZES)
READ_SIZES = st.lists(st.one_of(st.integers(1, 2000), st.integers(1, LARGEST)), min_size=1, max_size=4)


@st.composite
def program(draw: DrawFn) -> list[Step]:
    steps: list[Step] = []
    for verb in draw(st.lists(st.sampled_from(["write", "write", "writelines", "pause"]), max_size=10)):
        if verb == "write":
            steps.append((verb, [draw(PIECE)]))
        elif verb == "writelines":
            steps.append((verb, draw(st.lists(PIECE, max_size=6))))
        else:
            steps.append((verb, []))
    return steps


class Writer:
    """Writes the pieces of SOURCE in order, and overwrites each that can be as soon as it was written."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.written = 0
        self.reused: list[bytearray] = []

    def piece(self, kind: str, size: int) -> bytes | bytearray | memoryview:
        if kind == "memoryview of numbers":
            size -= size % 4
        data = SOURCE[self.written : self.written + size]
        self.written += len(data)
        if kind == "bytes":
            return data
        if kind == "read-only memoryview":
            return memoryview(data)
        changeable = bytearray(data)
        self.reused.append(changeable)
        if kind == "bytearray":
            return changeable
        return memoryview(changeable) if kind == "memoryview" else memoryview(changeable).cast("I")

    async def do(self, step: Step) -> None:
        verb, pieces = step
        if verb == "pause":
            await asyncio.sleep(0)
        elif verb == "write":
            self.transport.write(self.piece(*pieces[0]))
        else:
            self.transport.writelines([self.piece(*piece) for piece in pieces])
        for changeable in self.reused:
            changeable[:] = bytes(len(changeable))
        self.reused.clear()


async def read_all(loop: asyncio.AbstractEventLoop, sock: socket.socket, sizes: list[int]) -> bytes:
    received = bytearray()
    number = 0
    while data := await loop.sock_recv(sock, sizes[number % len(sizes)]):
        received += data
        number += 1
    return bytes(received)


async def write_and_read(loop: asyncio.AbstractEventLoop, steps: list[Step], sizes: list[int]) -> None:
    left, right = socket.socketpair()
    right.setblocking(False)
    with right:
        transport, protocol = await loop.create_connection(Recorder, sock=left)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            reading = group.create_task(read_all(loop, right, sizes))
            writer = Writer(transport)
            for step in steps:
                await writer.do(step)
            transport.close()
        assert reading.result() == SOURCE[: writer.written]
        while not protocol.lost:  # noqa: ASYNC110  nothing else is left to happen: a few turns
            await asyncio.sleep(0)
    assert protocol.lost == [None]


@settings(
    derandomize=True,
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the factory has no state
)
@given(steps=program(), sizes=READ_SIZES)
def test_what_is_written_arrives_byte_for_byte(
    loop_factory: Callable[[], asyncio.SelectorEventLoop], steps: list[Step], sizes: list[int]
) -> None:
    errors: list[dict[str, Any]] = []
    loop = loop_factory()
    loop.set_exception_handler(lambda _loop, context: errors.append(context))
    loop.run_until_complete(write_and_read(loop, steps, sizes))
    loop.close()
    assert not errors


def test_more_chunks_than_one_system_call_takes_arrive_in_order(loop: asyncio.AbstractEventLoop) -> None:
    steps: list[Step] = [("writelines", [("bytes", size % 7) for size in range(500)])]
    loop.run_until_complete(write_and_read(loop, [*steps, ("pause", []), *steps], [1, 4096]))


def test_many_chunks_behind_a_full_kernel_buffer_arrive_in_order(loop: asyncio.AbstractEventLoop) -> None:
    steps: list[Step] = [("write", [("bytearray", size)]) for size in [LARGEST] * 4 + list(range(1, 300))]
    loop.run_until_complete(write_and_read(loop, steps, [LARGEST, 100]))
