"""Reading: failing protocols, changed protocols, pauses, order and fairness (traps 1, 4, 16, 19, 20)."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.wire import (
    PATIENCE,
    BufferedRecorder,
    Recorder,
    attach,
    received,
    tcp_pair,
    turn,
    unix_pair,
    until,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tests.conftest import Run

PAIRS = {"unix": unix_pair, "tcp": tcp_pair}


@pytest.fixture(params=sorted(PAIRS))
def pair(request: pytest.FixtureRequest) -> Callable[[], tuple[socket.socket, socket.socket]]:
    return PAIRS[request.param]


class FailingData(Recorder):
    def data_received(self, data: bytes) -> None:
        raise ZeroDivisionError(data)


class FailingEnd(Recorder):
    def eof_received(self) -> bool | None:
        raise ZeroDivisionError


class FailingGetBuffer(BufferedRecorder):
    def get_buffer(self, sizehint: int) -> bytearray:
        raise ZeroDivisionError(sizehint)


class EmptyBuffer(BufferedRecorder):
    def __init__(self) -> None:
        super().__init__(size=0)


class FailingBufferUpdated(BufferedRecorder):
    def buffer_updated(self, nbytes: int) -> None:
        raise ZeroDivisionError(nbytes)


@pytest.mark.parametrize(
    ("kind", "message", "error"),
    [
        (FailingData, "Fatal error: protocol.data_received() call failed.", ZeroDivisionError),
        (FailingEnd, "Fatal error: protocol.eof_received() call failed.", ZeroDivisionError),
        (FailingGetBuffer, "Fatal error: protocol.get_buffer() call failed.", ZeroDivisionError),
        (EmptyBuffer, "Fatal error: protocol.get_buffer() call failed.", RuntimeError),
        (FailingBufferUpdated, "Fatal error: protocol.buffer_updated() call failed.", ZeroDivisionError),
    ],
)
def test_a_protocol_that_fails_while_reading_is_reported_and_its_connection_ended(
    run: Run,
    loop_errors: list[dict[str, Any]],
    kind: type[Recorder],
    message: str,
    error: type[Exception],
) -> None:
    async def main() -> tuple[Recorder, asyncio.Transport]:
        ours, peer = unix_pair()
        protocol = kind()
        transport = await attach(protocol, ours)
        if kind is not FailingEnd:
            peer.send(b"x")
            await until(lambda: protocol.lost)
        else:
            peer.close()
            await until(lambda: protocol.lost)
        assert transport.is_closing()
        peer.close()
        return protocol, transport

    protocol, transport = run(main)
    (context,) = loop_errors
    assert context["message"] == message
    assert isinstance(context["exception"], error)
    assert context["transport"] is transport
    assert context["protocol"] is protocol
    assert [type(exc) for exc in protocol.lost] == [error]
    loop_errors.clear()


def test_an_empty_buffer_is_named_in_the_error(run: Run, loop_errors: list[dict[str, Any]]) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = EmptyBuffer()
        await attach(protocol, ours)
        peer.send(b"x")
        await until(lambda: protocol.lost)
        peer.close()

    run(main)
    assert str(loop_errors.pop()["exception"]) == "get_buffer() returned an empty buffer"


@pytest.mark.parametrize("first", [Recorder, BufferedRecorder])
@pytest.mark.parametrize("second", [Recorder, BufferedRecorder])
def test_set_protocol_between_reads_sends_what_follows_to_the_new_one(
    run: Run, first: type[Recorder], second: type[Recorder]
) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        old, new = first(), second()
        transport = await attach(old, ours)
        peer.send(b"for the old")
        await until(lambda: old.data)
        transport.set_protocol(new)
        assert transport.get_protocol() is new
        peer.send(b"for the new")
        await until(lambda: new.data)
        assert (bytes(old.data), bytes(new.data)) == (b"for the old", b"for the new")
        transport.close()
        await until(lambda: new.lost)
        assert old.lost == []
        peer.close()

    run(main)


@pytest.mark.parametrize("second", [Recorder, BufferedRecorder])
@pytest.mark.parametrize("buffered", [False, True], ids=["from simple", "from buffered"])
def test_set_protocol_inside_a_read_sends_the_rest_of_a_long_stream_to_the_new_one(
    run: Run, second: type[Recorder], *, buffered: bool
) -> None:
    new = second()

    class Handing(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.transport.set_protocol(new)

    class HandingBuffered(BufferedRecorder):
        def buffer_updated(self, nbytes: int) -> None:
            super().buffer_updated(nbytes)
            self.transport.set_protocol(new)

    async def main() -> None:
        ours, peer = unix_pair()
        old = HandingBuffered() if buffered else Handing()
        await attach(old, ours)
        sent = bytes(range(256)) * 200
        peer.send(sent[:1])
        await until(lambda: old.data)
        peer.sendall(sent[1:])
        await until(lambda: len(old.data) + len(new.data) == len(sent))
        assert bytes(old.data + new.data) == sent
        assert old.calls.count("data_received") + old.calls.count("buffer_updated") == 1
        assert old.transport is not None
        old.transport.close()
        peer.close()

    run(main)


def test_pause_reading_in_connection_made_holds_data_until_resume(
    run: Run, pair: Callable[[], tuple[socket.socket, socket.socket]]
) -> None:
    class Paused(Recorder):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.transport.pause_reading()

    async def main() -> None:
        ours, peer = pair()
        peer.send(b"early")
        protocol = Paused()
        transport = await attach(protocol, ours)
        for _ in range(20):
            await asyncio.sleep(0)
        assert protocol.calls == ["connection_made"]
        assert not transport.is_reading()
        transport.resume_reading()
        assert transport.is_reading()
        await until(lambda: protocol.data == b"early")
        transport.close()
        peer.close()

    run(main)


def test_pause_and_resume_in_connection_made_read_normally(run: Run) -> None:
    class Both(Recorder):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.transport.pause_reading()
            self.transport.resume_reading()

    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Both()
        transport = await attach(protocol, ours)
        peer.send(b"x")
        await until(lambda: protocol.data == b"x")
        transport.close()
        peer.close()

    run(main)


def test_pause_reading_between_the_poll_and_the_callback_holds_the_data(
    loop: asyncio.AbstractEventLoop,
) -> None:
    protocols: list[Recorder] = []

    class PausingTheOthers(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            for other in protocols:
                if other is not self:
                    other.transport.pause_reading()

    pairs = [unix_pair() for _ in range(6)]
    for ours, _peer in pairs:
        protocols.append(PausingTheOthers())
        loop.run_until_complete(attach(protocols[-1], ours))
    turn(loop)
    for _ours, peer in pairs:
        peer.send(b"x")
    turn(loop)
    assert sorted(bytes(protocol.data) for protocol in protocols) == [b""] * 5 + [b"x"]
    for protocol in protocols:
        protocol.transport.resume_reading()
    turn(loop)
    for protocol, (_ours, peer) in zip(protocols, pairs, strict=True):
        protocol.transport.abort()
        peer.close()
    turn(loop)


def test_pause_and_resume_may_be_repeated_and_come_after_close(run: Run) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        for change in (transport.pause_reading, transport.resume_reading):
            change()
            change()
        peer.send(b"x")
        await until(lambda: protocol.data)
        transport.close()
        assert not transport.is_reading()
        transport.pause_reading()
        transport.resume_reading()
        await until(lambda: protocol.lost)
        peer.close()

    run(main)


def test_data_received_gets_bytes_of_the_exact_size(
    run: Run, pair: Callable[[], tuple[socket.socket, socket.socket]]
) -> None:
    async def main() -> None:
        ours, peer = pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        for size in (1, 2, 7, 100, 4096, 32768):
            protocol.data.clear()
            sent = bytes([size % 251]) * size
            peer.sendall(sent)
            await received(protocol, size)
            assert bytes(protocol.data) == sent
        assert {type(chunk) for chunk in protocol.chunks} == {bytes}
        transport.close()
        peer.close()

    run(main)


@pytest.mark.parametrize("kind", [Recorder, BufferedRecorder])
def test_a_long_stream_arrives_whole_in_order_and_before_its_end(
    run: Run, pair: Callable[[], tuple[socket.socket, socket.socket]], kind: type[Recorder]
) -> None:
    async def main() -> None:
        ours, peer = pair()
        sent = b"".join(number.to_bytes(4, "big") for number in range(1 << 18))
        protocol = kind() if kind is Recorder else BufferedRecorder(50_000)

        def send() -> None:
            with peer:
                peer.sendall(sent)

        sender = threading.Thread(target=send)
        await attach(protocol, ours)
        sender.start()
        await until(lambda: protocol.lost)
        sender.join(PATIENCE)
        assert bytes(protocol.data) == sent
        assert protocol.calls[0] == "connection_made"
        assert protocol.calls[-2:] == ["eof_received", "connection_lost"]
        assert protocol.lost == [None]

    run(main)


def test_a_buffer_may_be_resized_inside_buffer_updated(run: Run) -> None:
    class Growing(BufferedRecorder):
        def buffer_updated(self, nbytes: int) -> None:
            super().buffer_updated(nbytes)
            self.buffer.extend(bytes(len(self.buffer)))

    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Growing(8)
        transport = await attach(protocol, ours)
        for count in range(1, 6):
            peer.send(b"12345678")
            await received(protocol, 8 * count)
        assert len(protocol.buffer) > 8
        transport.close()
        peer.close()

    run(main)


def test_the_end_and_the_loss_come_in_order_each_once(
    run: Run, pair: Callable[[], tuple[socket.socket, socket.socket]]
) -> None:
    async def main() -> None:
        ours, peer = pair()
        protocol = Recorder()
        await attach(protocol, ours)
        peer.send(b"last words")
        peer.close()
        await until(lambda: protocol.lost)
        assert protocol.calls == ["connection_made", "data_received", "eof_received", "connection_lost"]

    run(main)


def test_close_in_data_received_ends_the_reading(run: Run) -> None:
    class Closing(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.transport.close()

    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Closing()
        await attach(protocol, ours)
        peer.send(b"first")
        await until(lambda: protocol.data)
        await until(lambda: protocol.lost)
        assert protocol.calls == ["connection_made", "data_received", "connection_lost"]
        peer.close()

    run(main)


def test_a_peer_that_floods_starves_neither_timers_nor_other_connections(run: Run) -> None:
    async def main() -> None:
        (ours, peer), (quiet_end, quiet_peer) = unix_pair(), unix_pair()
        flooded, quiet = Recorder(), Recorder()
        flooded_transport = await attach(flooded, ours)
        quiet_transport = await attach(quiet, quiet_end)
        finished = threading.Event()

        def flood() -> None:
            while not finished.is_set():
                peer.send(b"x" * 65536)

        sender = threading.Thread(target=flood)
        sender.start()
        await until(lambda: flooded.data)
        for round_number in range(1, 21):
            quiet_peer.send(b"q")
            await asyncio.sleep(0.0001)
            await received(quiet, round_number)
            flooded.data.clear()
            flooded.chunks.clear()
        finished.set()
        while sender.is_alive():  # noqa: ASYNC110  the last send may wait for the loop to read
            await asyncio.sleep(0)
        flooded_transport.abort()
        quiet_transport.abort()
        peer.close()
        quiet_peer.close()

    run(main)


def test_reading_goes_on_while_the_write_side_is_full(run: Run) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        transport.write(b"x" * (4 << 20))
        peer.send(b"still heard")
        await until(lambda: protocol.data == b"still heard")
        assert transport.get_write_buffer_size() > 0
        transport.abort()
        peer.close()

    run(main)
