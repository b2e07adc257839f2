"""Who closes a descriptor, and that nobody closes it twice (trap 5)."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from tests.contract.wire import Recorder, attach, receive_to_end, unix_pair, until

if TYPE_CHECKING:
    from tests.conftest import Run


@pytest.mark.parametrize("steps_before_cancel", [0, 1, 2, 3])
def test_a_cancelled_create_connection_closes_the_given_socket_at_most_once(run: Run, steps_before_cancel: int) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        number = ours.fileno()
        protocol = Recorder()
        task = asyncio.ensure_future(attach(protocol, ours))
        for _ in range(steps_before_cancel):
            await asyncio.sleep(0)
        task.cancel()
        done, _pending = await asyncio.wait([task])
        if not done.pop().cancelled():
            protocol.transport.close()
        for _ in range(5):
            await asyncio.sleep(0)
        if ours.fileno() == -1:
            assert receive_to_end(peer) == b""
        ours.close()
        left, right = unix_pair()
        assert number in {left.fileno(), right.fileno()}
        for _ in range(5):
            await asyncio.sleep(0)
        right.send(b"alive")
        assert left.recv(5) == b"alive"
        for sock in (peer, left, right):
            sock.close()

    run(main)


@pytest.mark.parametrize("ending", ["close", "abort"])
def test_a_closed_transport_closes_the_users_socket_object_too(run: Run, ending: str) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        getattr(transport, ending)()
        await until(lambda: protocol.lost)
        await asyncio.sleep(0)
        assert ours.fileno() == -1
        peer.close()

    run(main)


def test_a_recycled_number_is_not_closed_by_the_transport_that_had_it(run: Run) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        number = ours.fileno()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        transport.close()
        await until(lambda: protocol.lost)
        await asyncio.sleep(0)
        left, right = unix_pair()
        assert number in {left.fileno(), right.fileno()}
        transport.close()
        for _ in range(5):
            await asyncio.sleep(0)
        right.send(b"alive")
        assert left.recv(5) == b"alive"
        for sock in (peer, left, right):
            sock.close()

    run(main)


def test_a_transports_socket_is_still_open_in_connection_lost(run: Run) -> None:
    open_then: list[bool] = []

    class Looking(Recorder):
        def connection_lost(self, exc: Exception | None) -> None:
            open_then.append(self.transport.get_extra_info("socket").fileno() >= 0)
            super().connection_lost(exc)

    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Looking()
        transport = await attach(protocol, ours)
        transport.close()
        await until(lambda: protocol.lost)
        peer.close()

    run(main)
    assert open_then == [True]


def test_a_read_pipe_is_closed_once_and_its_number_is_free_for_others(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        reading, writing = os.pipe()
        pipe = os.fdopen(reading, "rb", 0)
        protocol = Recorder()
        transport, _protocol = await loop.connect_read_pipe(lambda: protocol, pipe)
        os.write(writing, b"x")
        await until(lambda: protocol.data)
        os.close(writing)
        await until(lambda: protocol.lost)
        await asyncio.sleep(0)
        assert pipe.closed
        again, other = os.pipe()
        assert reading in {again, other}
        transport.close()
        pipe.close()
        for _ in range(5):
            await asyncio.sleep(0)
        os.write(other, b"alive")
        assert os.read(again, 5) == b"alive"
        os.close(again)
        os.close(other)

    run(main)


def test_the_socket_of_a_transport_has_the_face_of_a_socket(run: Run) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        number, family = ours.fileno(), ours.family
        transport = await attach(Recorder(), ours)
        sock = transport.get_extra_info("socket")
        assert (sock.fileno(), sock.family, sock.gettimeout()) == (number, family, 0)
        assert sock.getsockname() == transport.get_extra_info("sockname")
        transport.close()
        peer.close()

    run(main)
