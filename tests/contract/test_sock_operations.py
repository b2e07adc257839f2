"""sock_recv and its family: results, cancellation, sockets closed or recycled under them (traps 6, 7, 8)."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.wire import BEYOND_KERNEL, drain_peer, unix_pair, until

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tests.conftest import Run


async def cancelled(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Start a call, let it wait, cancel it and see it end."""
    task = asyncio.ensure_future(coroutine)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def listener() -> socket.socket:
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    return listening


def test_recv_and_recv_into_return_what_is_there_or_wait_for_it(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        peer.send(b"early")
        assert await loop.sock_recv(ours, 100) == b"early"
        loop.call_soon(peer.send, b"late")
        assert await loop.sock_recv(ours, 2) == b"la"
        buffer = bytearray(10)
        assert await loop.sock_recv_into(ours, buffer) == 2
        assert bytes(buffer[:2]) == b"te"
        loop.call_soon(peer.send, b"again")
        assert await loop.sock_recv_into(ours, buffer) == 5
        peer.close()
        assert await loop.sock_recv(ours, 100) == b""
        ours.close()

    run(main)


@pytest.mark.parametrize("size", [10, BEYOND_KERNEL], ids=["small", "beyond the kernel"])
def test_sendall_sends_everything(run: Run, size: int) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        sending = asyncio.ensure_future(loop.sock_sendall(ours, b"x" * size))
        assert await drain_peer(peer, size) == b"x" * size
        await sending
        ours.close()
        peer.close()

    run(main)


def test_connect_and_accept_make_a_pair(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        listening = listener()
        client = socket.socket()
        client.setblocking(False)
        accepting = asyncio.ensure_future(loop.sock_accept(listening))
        await loop.sock_connect(client, listening.getsockname())
        accepted, address = await accepting
        assert address == client.getsockname()
        assert accepted.gettimeout() == 0
        await loop.sock_sendall(client, b"hello")
        assert await loop.sock_recv(accepted, 100) == b"hello"
        for sock in (client, accepted, listening):
            sock.close()

    run(main)


def test_a_refused_connect_says_so(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with listener() as listening:
            address = listening.getsockname()
        with socket.socket() as client:
            client.setblocking(False)
            with pytest.raises(ConnectionRefusedError):
                await loop.sock_connect(client, address)

    run(main)


def test_datagrams_go_through_recvfrom_and_sendto(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(type=socket.SOCK_DGRAM) as left, socket.socket(type=socket.SOCK_DGRAM) as right:
            for sock in (left, right):
                sock.setblocking(False)
                sock.bind(("127.0.0.1", 0))
            waiting = asyncio.ensure_future(loop.sock_recvfrom(right, 100))
            assert await loop.sock_sendto(left, b"gram", right.getsockname()) == 4
            assert await waiting == (b"gram", left.getsockname())
            buffer = bytearray(10)
            await loop.sock_sendto(left, b"more", right.getsockname())
            assert await loop.sock_recvfrom_into(right, buffer) == (4, left.getsockname())

    run(main)


def test_a_cancelled_recv_loses_no_data(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        await cancelled(loop.sock_recv(ours, 100))
        peer.send(b"kept")
        assert await loop.sock_recv(ours, 100) == b"kept"
        ours.close()
        peer.close()

    run(main)


def test_data_that_arrives_in_the_step_of_the_cancel_is_kept(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        task = asyncio.ensure_future(loop.sock_recv(ours, 100))
        for _ in range(3):
            await asyncio.sleep(0)
        peer.send(b"kept")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await loop.sock_recv(ours, 100) == b"kept"
        ours.close()
        peer.close()

    run(main)


def test_a_cancelled_accept_leaves_the_connection_for_the_next(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        listening = listener()
        task = asyncio.ensure_future(loop.sock_accept(listening))
        for _ in range(3):
            await asyncio.sleep(0)
        client = socket.create_connection(listening.getsockname())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        accepted, _address = await loop.sock_accept(listening)
        for sock in (client, accepted, listening):
            sock.close()

    run(main)


@pytest.mark.parametrize("name", ["sock_recv", "sock_recv_into", "sock_sendall"])
def test_cancelling_removes_the_interest_before_the_number_is_used_again(run: Run, name: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        number = ours.fileno()
        arguments: dict[str, Any] = {
            "sock_recv": 100,
            "sock_recv_into": bytearray(100),
            "sock_sendall": b"x" * BEYOND_KERNEL,
        }
        await cancelled(getattr(loop, name)(ours, arguments[name]))
        assert loop.remove_reader(number) is False
        assert loop.remove_writer(number) is False
        ours.close()
        left, right = unix_pair()
        assert left.fileno() == number
        loop.call_soon(right.send, b"for the new one")
        assert await loop.sock_recv(left, 100) == b"for the new one"
        for sock in (peer, left, right):
            sock.close()

    run(main)


@pytest.mark.parametrize("hang_up_first", [True, False])
def test_closing_the_socket_under_a_waiting_recv_does_not_end_the_loop(run: Run, *, hang_up_first: bool) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        task = asyncio.ensure_future(loop.sock_recv(ours, 100))
        await asyncio.sleep(0)
        ours.close()
        if hang_up_first:
            peer.close()
        await asyncio.sleep(0.002)
        task.cancel()
        done, _pending = await asyncio.wait([task])
        assert done == {task}
        peer.close()
        other, other_peer = unix_pair()
        other_peer.send(b"works")
        assert await loop.sock_recv(other, 100) == b"works"
        other.close()
        other_peer.close()

    run(main)


def test_a_closed_socket_is_refused_at_once(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        ours.close()
        calls: list[Coroutine[Any, Any, Any]] = [
            loop.sock_recv(ours, 1),
            loop.sock_recv_into(ours, bytearray(1)),
            loop.sock_sendall(ours, b"x"),
            loop.sock_accept(ours),
        ]
        for call in calls:
            with pytest.raises(OSError, match="Bad file descriptor"):
                await call
        peer.close()

    run(main)


def test_a_blocking_socket_is_refused_in_debug_mode(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        loop.slow_callback_duration = 60
        ours, peer = socket.socketpair()
        for call in (loop.sock_recv(ours, 1), loop.sock_sendall(ours, b"x"), loop.sock_accept(ours)):
            with pytest.raises(ValueError, match=r"^the socket must be non-blocking$"):
                await call
        ours.close()
        peer.close()

    run(main)


def test_recv_and_send_may_wait_on_one_socket_at_once(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        receiving = asyncio.ensure_future(loop.sock_recv(ours, 100))
        sending = asyncio.ensure_future(loop.sock_sendall(ours, b"x" * BEYOND_KERNEL))
        for _ in range(3):
            await asyncio.sleep(0)
        peer.send(b"answer")
        await until(receiving.done)
        assert receiving.result() == b"answer"
        assert len(await drain_peer(peer, BEYOND_KERNEL)) == BEYOND_KERNEL
        await sending
        ours.close()
        peer.close()

    run(main)
