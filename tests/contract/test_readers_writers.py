"""add_reader, add_writer: what they accept, whom they call, descriptors that vanish (traps 6, 8, 9, 10)."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.wire import attach, turn, unix_pair, until

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tests.conftest import Run


@pytest.mark.parametrize("kind", ["number", "socket", "file object"])
def test_readers_and_writers_accept_numbers_and_file_objects(run: Run, kind: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb", 0) as out_end, os.fdopen(writing, "wb", 0) as in_end:
            ours, peer = unix_pair()
            peer.send(b"x")
            readable: Any = {"number": reading, "socket": ours, "file object": out_end}[kind]
            writable: Any = {"number": writing, "socket": ours, "file object": in_end}[kind]
            in_end.write(b"x")
            seen: list[str] = []
            loop.add_reader(readable, seen.append, "read")
            loop.add_writer(writable, seen.append, "write")
            await until(lambda: {"read", "write"} <= set(seen))
            assert loop.remove_reader(readable) is True
            assert loop.remove_writer(writable) is True
            assert loop.remove_reader(readable) is False
            assert loop.remove_writer(writable) is False
            seen.clear()
            await asyncio.sleep(0)
            assert seen == []
            ours.close()
            peer.close()

    run(main)


def test_a_second_add_reader_replaces_the_first(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        seen: list[str] = []
        loop.add_reader(ours, seen.append, "old")
        loop.add_reader(ours, seen.append, "new")
        peer.send(b"x")
        await until(lambda: seen)
        assert set(seen) == {"new"}
        loop.remove_reader(ours)
        ours.close()
        peer.close()

    run(main)


@pytest.mark.parametrize("removed", ["reader", "writer"])
def test_removing_one_direction_keeps_the_other(run: Run, removed: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        seen: list[str] = []
        loop.add_reader(ours, seen.append, "reader")
        loop.add_writer(ours, seen.append, "writer")
        (loop.remove_reader if removed == "reader" else loop.remove_writer)(ours)
        peer.send(b"x")
        await until(lambda: seen)
        assert removed not in seen
        loop.remove_reader(ours)
        loop.remove_writer(ours)
        ours.close()
        peer.close()

    run(main)


def test_a_reader_is_called_until_the_data_is_consumed(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        got = bytearray()
        loop.add_reader(ours, lambda: got.extend(ours.recv(1)))
        peer.send(b"one byte a call")
        await until(lambda: got == b"one byte a call")
        loop.remove_reader(ours)
        ours.close()
        peer.close()

    run(main)


def test_a_reader_that_does_not_consume_is_called_again(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        calls: list[int] = []
        loop.add_reader(ours, calls.append, 1)
        peer.send(b"x")
        await until(lambda: len(calls) >= 20)
        loop.remove_reader(ours)
        ours.close()
        peer.close()

    run(main)


def test_a_reader_that_raises_is_reported_and_stays(run: Run, loop_errors: list[dict[str, Any]]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        seen: list[bytes] = []

        def read() -> None:
            seen.append(ours.recv(1))
            if len(seen) == 1:
                raise ZeroDivisionError

        loop.add_reader(ours, read)
        peer.send(b"ab")
        await until(lambda: seen == [b"a", b"b"])
        loop.remove_reader(ours)
        ours.close()
        peer.close()

    run(main)
    (context,) = loop_errors
    assert isinstance(context["exception"], ZeroDivisionError)
    loop_errors.clear()


def test_a_reader_removed_by_another_of_the_same_poll_is_not_called(loop: asyncio.AbstractEventLoop) -> None:
    pairs = [unix_pair() for _ in range(8)]
    called: list[socket.socket] = []

    def read(mine: socket.socket) -> None:
        called.append(mine)
        for ours, _peer in pairs:
            loop.remove_reader(ours)

    for ours, peer in pairs:
        loop.add_reader(ours, read, ours)
        peer.send(b"x")
    turn(loop)
    assert len(called) == 1
    for pair in pairs:
        for end in pair:
            end.close()


def test_a_socket_closed_and_its_number_reused_within_one_batch_gets_no_stale_call(
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Both sockets are readable in one poll; whoever runs first recycles the other's descriptor number."""
    pairs = [unix_pair() for _ in range(2)]
    called: list[str] = []
    replacement: list[socket.socket] = []

    def read(mine: int) -> None:
        called.append("old")
        other = pairs[1 - mine][0]
        number = other.fileno()
        loop.remove_reader(other)
        other.close()
        left, right = unix_pair()
        replacement.extend((left, right))
        recycled = left if left.fileno() == number else right
        assert recycled.fileno() == number
        loop.add_reader(recycled, called.append, "recycled")
        loop.remove_reader(pairs[mine][0])

    for index, (ours, peer) in enumerate(pairs):
        loop.add_reader(ours, read, index)
        peer.send(b"x")
    turn(loop)
    assert called == ["old"], "the event of the closed socket was given to the one that got its number"
    for end in replacement:
        loop.remove_reader(end)
    for end in [*pairs[0], *pairs[1], *replacement]:
        end.close()


@pytest.mark.only_clearloop(reason="asyncio's selector believes the recycled number is still registered")
def test_a_reader_added_for_a_recycled_number_works_though_the_old_one_was_never_removed(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        number = ours.fileno()
        seen: list[str] = []
        loop.add_reader(ours, seen.append, "stale")
        ours.close()
        left, right = unix_pair()
        assert left.fileno() == number
        loop.add_reader(left, seen.append, "fresh")
        right.send(b"x")
        async with asyncio.timeout(2):
            await until(lambda: seen)
        assert set(seen) == {"fresh"}
        loop.remove_reader(left)
        for end in (peer, left, right):
            end.close()

    run(main)


@pytest.mark.parametrize("hang_up_first", [True, False])
def test_a_socket_closed_while_it_is_watched_neither_ends_nor_spins_the_loop(run: Run, *, hang_up_first: bool) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        number = ours.fileno()
        calls: list[int] = []
        loop.add_reader(ours, calls.append, 1)
        await asyncio.sleep(0)
        if hang_up_first:
            peer.close()
        ours.close()
        before = len(calls)
        await asyncio.sleep(0.002)
        assert len(calls) <= before + 1
        assert loop.remove_reader(number) is True
        peer.close()

    run(main)


def methods_on_a_transports_descriptor() -> dict[str, Callable[[asyncio.AbstractEventLoop, Any], Any]]:
    return {
        "add_reader": lambda loop, sock: loop.add_reader(sock, print),
        "add_reader by number": lambda loop, sock: loop.add_reader(sock.fileno(), print),
        "add_writer": lambda loop, sock: loop.add_writer(sock, print),
        "remove_reader": lambda loop, sock: loop.remove_reader(sock),
        "remove_writer": lambda loop, sock: loop.remove_writer(sock),
    }


@pytest.mark.parametrize("name", sorted(methods_on_a_transports_descriptor()))
def test_a_transports_descriptor_is_refused(run: Run, name: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        number = ours.fileno()
        transport = await attach(asyncio.Protocol(), ours)
        sock = transport.get_extra_info("socket")
        wanted = rf"^File descriptor .* is used by transport .*{type(transport).__name__}"
        with pytest.raises(RuntimeError, match=wanted):
            methods_on_a_transports_descriptor()[name](loop, sock)
        assert sock.fileno() == number
        transport.close()
        peer.close()

    run(main)


@pytest.mark.parametrize("name", ["sock_recv", "sock_recv_into", "sock_sendall", "sock_accept"])
def test_socket_calls_on_a_transports_socket_are_refused(run: Run, name: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        transport = await attach(asyncio.Protocol(), ours)
        arguments: dict[str, tuple[Any, ...]] = {
            "sock_recv": (1,),
            "sock_recv_into": (bytearray(1),),
            "sock_sendall": (b"x" * (1 << 22),),
            "sock_accept": (),
        }
        with pytest.raises((RuntimeError, OSError)) as caught:
            await getattr(loop, name)(ours, *arguments[name])
        if name != "sock_accept":
            assert "is used by transport" in str(caught.value)
        transport.abort()
        peer.close()

    run(main)


@pytest.mark.parametrize("target", ["text", None, -1, 1.5, object()], ids=repr)
def test_what_is_no_file_is_refused_with_asyncios_words(loop: asyncio.AbstractEventLoop, target: Any) -> None:
    oracle = asyncio.SelectorEventLoop()
    told: list[tuple[type, str]] = []
    for each in (oracle, loop):
        with pytest.raises((ValueError, TypeError)) as caught:
            each.add_reader(target, print)
        told.append((type(caught.value), str(caught.value)))
    oracle.close()
    assert told[0] == told[1]


def test_a_descriptor_the_kernel_cannot_watch_is_refused(run: Run, tmp_path: Any) -> None:
    async def main() -> None:
        with (tmp_path / "regular").open("wb") as file, pytest.raises(PermissionError):
            asyncio.get_running_loop().add_reader(file, print)

    run(main)


def test_a_hang_up_is_told_to_both_directions(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        seen: list[str] = []
        loop.add_reader(ours, seen.append, "read")
        loop.add_writer(ours, seen.append, "write")
        peer.close()
        await until(lambda: {"read", "write"} <= set(seen))
        loop.remove_reader(ours)
        loop.remove_writer(ours)
        ours.close()

    run(main)
