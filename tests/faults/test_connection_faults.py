"""Connections that break: resets, peers that leave with data unread, readers that crawl."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.wire import (
    BEYOND_KERNEL,
    PATIENCE,
    BufferedRecorder,
    Recorder,
    attach,
    tcp_pair,
    unix_pair,
    until,
)

if TYPE_CHECKING:
    from tests.conftest import Run

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    peer.close()


@pytest.mark.parametrize("kind", [Recorder, BufferedRecorder])
def test_a_reset_while_reading_is_told_to_connection_lost_once(run: Run, kind: type[Recorder]) -> None:
    async def main() -> None:
        ours, peer = tcp_pair()
        protocol = kind()
        await attach(protocol, ours)
        reset(peer)
        await until(lambda: protocol.lost)
        assert [type(exc) for exc in protocol.lost] == [ConnectionResetError]
        assert "eof_received" not in protocol.calls

    run(main)


@pytest.mark.parametrize("paused", [False, True], ids=["reading", "paused"])
def test_a_reset_in_the_middle_of_a_write_is_told_once_and_later_writes_are_dropped(run: Run, *, paused: bool) -> None:
    async def main() -> None:
        ours, peer = tcp_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        if paused:
            transport.pause_reading()
        transport.write(b"x" * BEYOND_KERNEL * 2)
        assert transport.get_write_buffer_size() > 0
        reset(peer)
        await until(lambda: protocol.lost)
        (error,) = protocol.lost
        assert isinstance(error, (ConnectionResetError, BrokenPipeError))
        assert transport.is_closing()
        transport.write(b"dropped")
        assert len(protocol.lost) == 1

    run(main)


def test_a_peer_that_leaves_with_data_unread_ends_the_connection(run: Run) -> None:
    async def main() -> None:
        ours, peer = tcp_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        transport.write(b"never read")
        for _ in range(5):
            await asyncio.sleep(0)
        peer.close()
        await until(lambda: protocol.lost)
        assert len(protocol.lost) == 1

    run(main)


def test_a_peer_that_ended_its_half_and_then_resets_is_told_once(run: Run) -> None:
    async def main() -> None:
        ours, peer = tcp_pair()
        protocol = Recorder()
        protocol.keep_open_after_eof = True
        transport = await attach(protocol, ours)
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: "eof_received" in protocol.calls)
        transport.write(b"x" * BEYOND_KERNEL * 2)
        reset(peer)
        await until(lambda: protocol.lost)
        assert protocol.calls.count("connection_lost") == 1
        assert protocol.calls.count("eof_received") == 1

    run(main)


def test_a_reset_while_close_waits_for_its_pending_bytes_ends_the_wait(run: Run) -> None:
    async def main() -> None:
        ours, peer = tcp_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        transport.write(b"x" * BEYOND_KERNEL * 2)
        transport.close()
        for _ in range(5):
            await asyncio.sleep(0)
        assert protocol.lost == []
        reset(peer)
        await until(lambda: protocol.lost)
        assert len(protocol.lost) == 1

    run(main)


def test_drain_raises_when_the_connection_is_reset(run: Run) -> None:
    async def main() -> None:
        ours, peer = tcp_pair()
        reader, writer = await asyncio.open_connection(sock=ours)
        writer.write(b"x" * BEYOND_KERNEL * 2)
        draining = asyncio.ensure_future(writer.drain())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not draining.done()
        reset(peer)
        with pytest.raises(ConnectionError):
            await draining
        with pytest.raises(ConnectionError):
            await reader.read()
        writer.close()
        with pytest.raises(ConnectionError):
            await writer.wait_closed()

    run(main)


def test_a_reader_that_crawls_gets_everything_and_bounds_what_the_writer_holds(run: Run) -> None:
    """While its peer reads little by little, pause_writing keeps the queue at its limit plus one write."""
    total, piece = 3 << 20, b"x" * 16384

    class Writing(Recorder):
        def __init__(self) -> None:
            super().__init__()
            self.may_write = asyncio.Event()
            self.may_write.set()
            self.largest = 0

        def pause_writing(self) -> None:
            super().pause_writing()
            self.may_write.clear()

        def resume_writing(self) -> None:
            super().resume_writing()
            self.may_write.set()

    async def write_all(protocol: Writing) -> None:
        for _ in range(total // len(piece)):
            await protocol.may_write.wait()
            protocol.transport.write(piece)
            protocol.largest = max(protocol.largest, protocol.transport.get_write_buffer_size())
        protocol.transport.close()

    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Writing()
        transport = await attach(protocol, ours)
        transport.set_write_buffer_limits(high=32768)
        writing = asyncio.ensure_future(write_all(protocol))
        peer.setblocking(False)
        got = 0
        while got < total:
            try:
                got += len(peer.recv(5000))
            except BlockingIOError:
                await asyncio.sleep(0)
            if got % 7 == 0:
                await asyncio.sleep(0)
        await writing
        await until(lambda: protocol.lost)
        assert protocol.largest <= 32768 + len(piece)
        assert protocol.calls.count("pause_writing") == protocol.calls.count("resume_writing") >= 1
        peer.close()

    run(main)


def test_a_server_survives_clients_that_break_in_every_way(run: Run) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1000):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # the point of the test: the connection was broken on purpose
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):  # 3.11 reports it as never retrieved otherwise
                await writer.wait_closed()

    def break_off(address: Any, way: int) -> None:
        peer = socket.create_connection(address, timeout=PATIENCE)
        if way % 2:
            peer.sendall(b"x" * 5000)
        if way % 3 == 0:
            reset(peer)
        elif way % 3 == 1:
            peer.shutdown(socket.SHUT_WR)
        peer.close()

    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        for way in range(60):
            break_off(address, way)
            await asyncio.sleep(0)
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"still serving")
        assert await reader.readexactly(13) == b"still serving"
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        await until(lambda: len(asyncio.all_tasks()) == 1)

    run(main)
