"""Bytes sent in any chunks arrive in order at either kind of protocol, also when it pauses or is replaced."""

from __future__ import annotations

import asyncio
import random
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.wire import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST = 300 * 1024
SOURCE = random.Random(1).randbytes(4 << 20)  # no two places of it look alike

SIZES = st.one_of(st.integers(1, 100), st.integers(1, 20_000), st.integers(20_000, LARGEST))
SEND = st.tuples(st.just("send"), SIZES)
TURNS = st.tuples(st.just("turns"), st.integers(1, 3))
PAUSE = st.tuples(st.sampled_from(["pause", "resume", "other protocol"]), st.just(0))
PROGRAM = st.lists(st.one_of(SEND, SEND, TURNS, PAUSE), max_size=12)
QUICK = settings(
    derandomize=True,
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the factory has no state
)


class Buffered(asyncio.BufferedProtocol):
    """Takes what arrives through a buffer of its own, whose size changes from read to read."""

    def __init__(self, data: bytearray, sizes: list[int]) -> None:
        self.data = data
        self.sizes = sizes
        self.reads = 0
        self.buffer = bytearray()

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002  asyncio's signature
        self.reads += 1
        self.buffer = bytearray(self.sizes[self.reads % len(self.sizes)])
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data += self.buffer[:nbytes]


class Plain(Recorder):
    def __init__(self, data: bytearray) -> None:
        super().__init__()
        self.data = data


class Sender:
    """Does the steps of a program at both ends of a connection; at most one send is under way."""

    def __init__(
        self, right: socket.socket, transport: asyncio.Transport, protocols: list[asyncio.BaseProtocol]
    ) -> None:
        self.right = right
        self.transport = transport
        self.protocols = protocols
        self.sent = 0
        self.sending: asyncio.Task[None] | None = None

    async def do(self, verb: str, number: int) -> None:
        if verb == "send":
            await self.sending_ended()
            data = SOURCE[self.sent : self.sent + number]
            self.sending = asyncio.create_task(asyncio.get_running_loop().sock_sendall(self.right, data))
            self.sent += number
        elif verb == "turns":
            for _ in range(number):
                await asyncio.sleep(0)
        elif verb == "pause":
            self.transport.pause_reading()
        elif verb == "resume":
            self.transport.resume_reading()
        else:
            self.protocols.reverse()
            self.transport.set_protocol(self.protocols[0])

    async def sending_ended(self) -> None:
        self.transport.resume_reading()  # or the peer would wait for room for ever
        if self.sending is not None:
            await self.sending


async def send_and_receive(
    loop: asyncio.AbstractEventLoop, steps: list[tuple[str, int]], sizes: list[int], first: str
) -> None:
    left, right = socket.socketpair()
    right.setblocking(False)
    data = bytearray()
    protocols: list[asyncio.BaseProtocol] = [Plain(data), Buffered(data, sizes)]
    if first == "buffered":
        protocols.reverse()
    with right:
        transport, _protocol = await loop.create_connection(lambda: protocols[0], sock=left)
        sender = Sender(right, transport, protocols)
        async with asyncio.timeout(20):
            for step in steps:
                await sender.do(*step)
            await sender.sending_ended()
            while len(data) < sender.sent:  # noqa: ASYNC110  the kernel's condition, bounded by the timeout
                await asyncio.sleep(0)
        assert data == SOURCE[: sender.sent]
        transport.abort()
        await asyncio.sleep(0)


def complete(loop: asyncio.SelectorEventLoop, *arguments: Any) -> None:
    errors: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: errors.append(context))
    loop.run_until_complete(send_and_receive(loop, *arguments))
    loop.close()
    assert not errors


@pytest.mark.parametrize("first", ["plain", "buffered"])
@QUICK
@given(
    steps=PROGRAM,
    sizes=st.lists(st.one_of(st.integers(1, 5000), st.integers(1, LARGEST)), min_size=1, max_size=4),
)
def test_what_is_sent_arrives_byte_for_byte(
    loop_factory: Callable[[], asyncio.SelectorEventLoop],
    steps: list[tuple[str, int]],
    sizes: list[int],
    first: str,
) -> None:
    complete(loop_factory(), steps, sizes, first)


@pytest.mark.parametrize("size", [32767, 32768, 65535, 65536, 65537, 262144, 262145])
@pytest.mark.parametrize("first", ["plain", "buffered"])
def test_sizes_at_which_reading_changes_its_way(
    loop_factory: Callable[[], asyncio.SelectorEventLoop], size: int, first: str
) -> None:
    steps = [("send", size), ("turns", 3), ("send", 1), ("turns", 3), ("send", size)]
    complete(loop_factory(), steps, [size], first)
