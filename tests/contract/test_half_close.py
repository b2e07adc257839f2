"""Half-closed connections: each direction ends by itself (trap 17)."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from tests.contract.wire import BEYOND_KERNEL, Recorder, attach, drain_peer, tcp_pair, unix_pair, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Run

    Pair = Callable[[], tuple[socket.socket, socket.socket]]

PAIRS = {"unix": unix_pair, "tcp": tcp_pair}


@pytest.fixture(params=sorted(PAIRS))
def pair(request: pytest.FixtureRequest) -> Pair:
    return PAIRS[request.param]


def test_eof_received_that_returns_true_keeps_the_write_side(run: Run, pair: Pair) -> None:
    async def main() -> None:
        ours, peer = pair()
        protocol = Recorder()
        protocol.keep_open_after_eof = True
        transport = await attach(protocol, ours)
        peer.send(b"question")
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: "eof_received" in protocol.calls)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not transport.is_closing()
        transport.write(b"a long answer" * 100_000)
        assert await drain_peer(peer, 1_300_000) == b"a long answer" * 100_000
        transport.close()
        await until(lambda: protocol.lost)
        assert protocol.calls.count("eof_received") == 1
        assert protocol.data == b"question"
        peer.close()

    run(main)


@pytest.mark.parametrize("answer", [False, None])
def test_eof_received_that_returns_false_closes_after_the_pending_bytes(
    run: Run, pair: Pair, *, answer: bool | None
) -> None:
    class Answering(Recorder):
        def eof_received(self) -> bool | None:
            super().eof_received()
            self.transport.write(b"x" * BEYOND_KERNEL)
            return answer

    async def main() -> None:
        ours, peer = pair()
        protocol = Answering()
        await attach(protocol, ours)
        peer.shutdown(socket.SHUT_WR)
        assert len(await drain_peer(peer, BEYOND_KERNEL + 1)) == BEYOND_KERNEL
        await until(lambda: protocol.lost)
        assert protocol.lost == [None]
        peer.close()

    run(main)


def test_write_eof_tells_the_peer_and_keeps_reading(run: Run, pair: Pair) -> None:
    async def main() -> None:
        ours, peer = pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        assert transport.can_write_eof()
        transport.write(b"all I have")
        transport.write_eof()
        assert await drain_peer(peer, 100) == b"all I have"
        peer.sendall(b"still talking")
        await until(lambda: protocol.data == b"still talking")
        peer.close()
        await until(lambda: protocol.lost)
        assert protocol.calls[-2:] == ["eof_received", "connection_lost"]
        transport.close()

    run(main)


def test_unread_bytes_of_a_peer_that_hung_up_arrive_before_the_end(run: Run, pair: Pair) -> None:
    async def main() -> None:
        ours, peer = pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        transport.pause_reading()
        peer.sendall(b"x" * 100_000)
        peer.close()
        for _ in range(20):
            await asyncio.sleep(0)
        assert protocol.lost == []
        transport.resume_reading()
        await until(lambda: protocol.lost)
        assert len(protocol.data) == 100_000
        assert protocol.lost == [None]

    run(main)


def test_a_hang_up_is_not_told_to_a_paused_protocol(run: Run) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        transport.pause_reading()
        peer.close()
        await asyncio.sleep(0.002)
        assert protocol.calls == ["connection_made"]
        transport.close()
        await until(lambda: protocol.lost)

    run(main)


def test_both_sides_may_end_their_half_first_and_the_connection_closes_cleanly(run: Run) -> None:
    async def main() -> None:
        left, right = socket.socketpair()
        first, second = Recorder(), Recorder()
        first.keep_open_after_eof = True
        for protocol, end in ((first, left), (second, right)):
            end.setblocking(False)
            await attach(protocol, end)
        second.transport.write(b"bye")
        second.transport.write_eof()
        await until(lambda: "eof_received" in first.calls)
        first.transport.write(b"and bye")
        first.transport.close()
        await until(lambda: first.lost and second.lost)
        assert bytes(first.data) == b"bye"
        assert bytes(second.data) == b"and bye"
        assert first.lost == second.lost == [None]

    run(main)
