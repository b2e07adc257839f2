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


async def send_and_receive(
    loop: asyncio.AbstractEventLoop,
    steps: list[tuple[str, int]],
    sizes: list[int],
    first: str,
) -> None:
    left, right = socket.socketpair()
    right.setblocking(False)
    data = bytearray()
    protocols: dict[str, asyncio.BaseProtocol] = {"plain": Plain(data), "buffered": Buffered(data, sizes)}
    kind, sent = first, 0
    with right:
        transport, _protocol = await loop.create_connection(lambda: protocols[first], sock=left)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            sending: asyncio.Task[None] | None = None
            for verb, number in steps:
                if verb == "send":
                    if sending is not None:
                        transport.resume_reading()  # or the peer would wait for room for ever
                        await sending
                    sending = group.create_task(loop.sock_sendall(right, SOURCE[sent : sent + number]))
                    sent += number
                elif verb == "turns":
                    for _ in range(number):
                        await asyncio.sleep(0)
                elif verb == "pause":
                    transport.pause_reading()
                elif verb == "resume":
                    transport.resume_reading()
                else:
                    kind = "plain" if kind == "buffered" else "buffered"
                    transport.set_protocol(protocols[kind])
            transport.resume_reading()
            while len(data) < sent:  # noqa: ASYNC110  the kernel's condition, bounded by the timeout
                await asyncio.sleep(0)
        assert data == SOURCE[:sent]
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
