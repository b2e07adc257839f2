"""Writing: order, snapshots, flow control and the ways a connection ends (traps 3, 12, 13, 14, 15)."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.wire import (
    BEYOND_KERNEL,
    Recorder,
    attach,
    drain_peer,
    receive_exactly,
    receive_to_end,
    tcp_pair,
    unix_pair,
    until,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tests.conftest import Run

    Pair = Callable[[], tuple[socket.socket, socket.socket]]

PAIRS = {"unix": unix_pair, "tcp": tcp_pair}
KEEPS_VIEWS = sys.version_info >= (3, 12)
WRITELINES_CRASHES = (3, 12) <= sys.version_info < (3, 13, 6)
WRITING_METHODS = [
    "write",
    pytest.param("writelines", marks=pytest.mark.asyncio_wrong(WRITELINES_CRASHES, reason="cpython#136234")),
    "write_eof",
]
WRITELINES_FIXED = sys.version_info >= (3, 13, 2) or (3, 12, 9) <= sys.version_info < (3, 13)


@pytest.fixture(params=sorted(PAIRS))
def pair(request: pytest.FixtureRequest) -> Pair:
    return PAIRS[request.param]


@pytest.mark.parametrize("size", [1, 1000, 300_000], ids=["small", "middle", "beyond the kernel"])
def test_mixed_writes_leave_in_order(run: Run, pair: Pair, size: int) -> None:
    async def main() -> None:
        ours, peer = pair()
        transport = await attach(Recorder(), ours)
        pieces = [bytes([65 + number]) * size for number in range(12)]
        transport.write(pieces[0])
        transport.writelines([pieces[1], bytearray(pieces[2]), memoryview(pieces[3])])
        transport.write(bytearray(pieces[4]))
        await asyncio.sleep(0)
        transport.writelines(iter(pieces[5:8]))
        transport.write(memoryview(pieces[8]))
        transport.writelines([])
        transport.writelines([b"", pieces[9], b""])
        transport.write(b"")
        transport.writelines(pieces[10:])
        assert await drain_peer(peer, 12 * size) == b"".join(pieces)
        transport.close()
        peer.close()

    run(main)


def test_a_thousand_small_writes_of_one_step_arrive_whole(run: Run, pair: Pair) -> None:
    async def main() -> None:
        ours, peer = pair()
        transport = await attach(Recorder(), ours)
        for number in range(1000):
            transport.write(b"%04d" % number)
        assert await drain_peer(peer, 4000) == b"".join(b"%04d" % number for number in range(1000))
        transport.close()
        peer.close()

    run(main)


@pytest.mark.parametrize("count", [1, 1023, 1024, 1025, 5000])
def test_writelines_takes_more_pieces_than_the_kernel_does_at_once(run: Run, count: int) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        transport = await attach(Recorder(), ours)
        pieces = [b"%05d" % number for number in range(count)]
        transport.writelines(pieces)
        assert await drain_peer(peer, 5 * count) == b"".join(pieces)
        transport.close()
        peer.close()

    run(main)


@pytest.mark.parametrize("method", ["write", "writelines"])
@pytest.mark.parametrize(
    "size",
    [
        1000,
        pytest.param(
            BEYOND_KERNEL,
            marks=pytest.mark.asyncio_wrong(
                KEEPS_VIEWS, reason="it keeps a view of what the kernel did not take, not a snapshot"
            ),
        ),
    ],
    ids=["small", "beyond the kernel"],
)
@pytest.mark.parametrize("view", [False, True], ids=["bytearray", "memoryview"])
def test_a_buffer_changed_after_the_write_is_sent_as_it_was(run: Run, method: str, size: int, *, view: bool) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        transport = await attach(Recorder(), ours)
        buffer = bytearray(b"a" * size)
        data: Any = memoryview(buffer) if view else buffer
        getattr(transport, method)(data if method == "write" else [data])
        if view:
            data.release()
        buffer[:] = b"b" * size
        buffer.clear()  # BufferError here: the transport still holds an export
        assert await drain_peer(peer, size) == b"a" * size
        transport.close()
        peer.close()

    run(main)


def test_a_memoryview_of_wide_items_is_sent_by_its_bytes(run: Run) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        transport = await attach(Recorder(), ours)
        raw = bytes(range(200))
        transport.write(memoryview(raw).cast("I"))
        transport.write(b"end")
        assert await drain_peer(peer, 203) == raw + b"end"
        transport.close()
        peer.close()

    run(main)


@pytest.mark.parametrize(
    "method",
    [
        "write",
        pytest.param(
            "writelines",
            marks=pytest.mark.asyncio_wrong(
                sys.version_info >= (3, 12) and not WRITELINES_FIXED, reason="cpython#127655"
            ),
        ),
    ],
)
@pytest.mark.parametrize("high", [0, 1000])
def test_a_protocol_is_paused_when_the_peer_does_not_read_and_resumed_when_it_does(
    run: Run, pair: Pair, method: str, high: int
) -> None:
    async def main() -> None:
        ours, peer = pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        transport.set_write_buffer_limits(high=high)
        assert transport.get_write_buffer_limits() == (high // 4, high)
        data = b"x" * (BEYOND_KERNEL * 2)
        getattr(transport, method)(data if method == "write" else [data[:100], data[100:]])
        await until(lambda: "pause_writing" in protocol.calls)
        assert transport.get_write_buffer_size() > high
        assert await drain_peer(peer, len(data)) == data
        await until(lambda: transport.get_write_buffer_size() == 0)
        assert protocol.calls == ["connection_made", "pause_writing", "resume_writing"]
        transport.close()
        peer.close()

    run(main)


def test_high_water_zero_pauses_by_the_first_byte_the_kernel_does_not_take(run: Run) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        transport.set_write_buffer_limits(high=0)
        written = 0
        while transport.get_write_buffer_size() == 0:
            assert "pause_writing" not in protocol.calls
            transport.write(b"x" * 1000)
            written += 1000
        assert protocol.calls[-1] == "pause_writing"
        assert await drain_peer(peer, written) == b"x" * written
        await until(lambda: protocol.calls[-1] == "resume_writing")
        transport.close()
        peer.close()

    run(main)


def test_writes_the_kernel_takes_at_once_do_not_pause_though_high_water_is_zero(run: Run) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        transport.set_write_buffer_limits(high=0)
        for _ in range(10):
            transport.write(b"small")
            await asyncio.sleep(0)
            assert transport.get_write_buffer_size() == 0
        assert receive_exactly(peer, 50) == b"small" * 10
        assert protocol.calls == ["connection_made"]
        transport.close()
        peer.close()

    run(main)


def test_an_exception_of_pause_writing_is_reported_and_the_bytes_still_leave(
    run: Run, loop_errors: list[dict[str, Any]]
) -> None:
    class Failing(Recorder):
        def pause_writing(self) -> None:
            raise ZeroDivisionError

    async def main() -> None:
        ours, peer = unix_pair()
        transport = await attach(Failing(), ours)
        transport.write(b"x" * BEYOND_KERNEL)
        assert len(await drain_peer(peer, BEYOND_KERNEL)) == BEYOND_KERNEL
        transport.close()
        peer.close()

    run(main)
    (context,) = loop_errors
    assert context["message"] == "protocol.pause_writing() failed"
    loop_errors.clear()


@pytest.mark.parametrize(
    ("high", "low"),
    [(-1, None), (10, 20), (None, -1)],
    ids=["negative high", "low above high", "negative low"],
)
def test_impossible_write_limits_are_refused(run: Run, high: int | None, low: int | None) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        transport = await attach(Recorder(), ours)
        with pytest.raises(ValueError, match=r"^high \(.*\) must be >= low \(.*\) must be >= 0$"):
            transport.set_write_buffer_limits(high=high, low=low)
        transport.close()
        peer.close()

    run(main)


@pytest.mark.parametrize("ending", ["close", "abort"])
@pytest.mark.parametrize("method", WRITING_METHODS)
def test_writing_after_the_end_is_dropped_without_an_error(run: Run, pair: Pair, ending: str, method: str) -> None:
    async def main() -> None:
        ours, peer = pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        getattr(transport, ending)()
        arguments: dict[str, tuple[Any, ...]] = {"write": (b"late",), "writelines": ([b"late"],)}
        for _ in range(10):
            getattr(transport, method)(*arguments.get(method, ()))
        await until(lambda: protocol.lost)
        for _ in range(10):
            getattr(transport, method)(*arguments.get(method, ()))
        assert protocol.lost == [None]
        received = receive_to_end(peer)
        # asyncio sends what is written between close() and connection_lost; a loop may drop it.
        assert received.replace(b"late", b"") == b""
        peer.close()

    run(main)


@pytest.mark.parametrize("method", WRITING_METHODS)
def test_writing_after_the_peer_is_lost_is_dropped_without_an_error(run: Run, method: str) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        peer.close()
        arguments: dict[str, tuple[Any, ...]] = {"write": (b"late",), "writelines": ([b"late"],)}
        for _ in range(10):
            getattr(transport, method)(*arguments.get(method, ()))
        await until(lambda: protocol.lost)
        for _ in range(10):
            getattr(transport, method)(*arguments.get(method, ()))
        assert len(protocol.lost) == 1

    run(main)


@pytest.mark.parametrize("method", ["write", "writelines"])
def test_writing_after_write_eof_is_refused(run: Run, method: str) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        transport = await attach(Recorder(), ours)
        transport.write_eof()
        transport.write_eof()
        with pytest.raises(RuntimeError, match=r"^Cannot call write(lines)?\(\) after write_eof\(\)$"):
            getattr(transport, method)(b"x" if method == "write" else [b"x"])
        transport.close()
        peer.close()

    run(main)


@pytest.mark.parametrize("size", [5, BEYOND_KERNEL], ids=["small", "beyond the kernel"])
@pytest.mark.parametrize("ending", ["close", "write_eof"])
def test_bytes_written_before_an_orderly_end_all_arrive(run: Run, pair: Pair, ending: str, size: int) -> None:
    async def main() -> None:
        ours, peer = pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        transport.write(b"a" * size)
        transport.writelines([b"b" * size, b"c" * size])
        getattr(transport, ending)()
        assert await drain_peer(peer, 3 * size) == b"a" * size + b"b" * size + b"c" * size
        assert await drain_peer(peer, 1) == b"", "no end of file after the bytes"
        if ending == "write_eof":
            transport.close()
        await until(lambda: protocol.lost)
        assert protocol.lost == [None]
        peer.close()

    run(main)


@pytest.mark.parametrize("close_first", [False, True])
def test_abort_drops_pending_bytes_even_after_close(run: Run, *, close_first: bool) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        transport.write(b"x" * BEYOND_KERNEL)
        if close_first:
            transport.close()
            await asyncio.sleep(0)
            assert protocol.lost == []
        transport.abort()
        await until(lambda: protocol.lost)
        assert protocol.lost == [None]
        assert len(receive_to_end(peer)) < BEYOND_KERNEL
        peer.close()

    run(main)


@pytest.mark.parametrize(
    "endings",
    [
        ("close",),
        ("abort",),
        ("close", "close"),
        ("abort", "close"),
        ("close", "abort", "close"),
        ("abort", "abort"),
    ],
    ids="-".join,
)
@pytest.mark.parametrize("pending", [False, True])
def test_connection_lost_comes_once_and_never_inside_the_call(
    run: Run, endings: tuple[str, ...], *, pending: bool
) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        if pending:
            transport.write(b"x" * BEYOND_KERNEL)
        for ending in endings:
            getattr(transport, ending)()
            assert protocol.lost == []
            assert transport.is_closing()
        if pending and "abort" not in endings:
            await drain_peer(peer, BEYOND_KERNEL)
        await until(lambda: protocol.lost)
        for _ in range(5):
            await asyncio.sleep(0)
        assert protocol.calls.count("connection_lost") == 1
        peer.close()

    run(main)


@pytest.mark.parametrize(
    "pending",
    [
        False,
        pytest.param(
            True,
            marks=pytest.mark.asyncio_wrong(True, reason="abort() after a flushed close() is an AttributeError"),
        ),
    ],
)
def test_ending_a_connection_that_is_already_lost_is_harmless(run: Run, *, pending: bool) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        transport.write(b"x" * BEYOND_KERNEL * pending)
        transport.close()
        await drain_peer(peer, BEYOND_KERNEL * pending)
        await until(lambda: protocol.lost)
        transport.abort()
        transport.close()
        for _ in range(5):
            await asyncio.sleep(0)
        assert protocol.calls.count("connection_lost") == 1
        peer.close()

    run(main)


@pytest.mark.parametrize("ending", ["close", "abort"])
def test_connection_made_that_ends_the_connection_is_followed_by_one_connection_lost(run: Run, ending: str) -> None:
    class Ending(Recorder):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            getattr(transport, ending)()

    async def main() -> None:
        ours, peer = unix_pair()
        peer.send(b"unread")
        protocol = Ending()
        await attach(protocol, ours)
        await until(lambda: protocol.lost)
        assert protocol.calls == ["connection_made", "connection_lost"]
        peer.close()

    run(main)


@pytest.mark.parametrize("ending", ["close", "abort"])
@pytest.mark.asyncio_wrong(True, reason="cpython#156512: it goes on with a transport that resume_writing() ended")
def test_resume_writing_may_end_the_connection(run: Run, ending: str) -> None:
    class Ending(Recorder):
        def resume_writing(self) -> None:
            super().resume_writing()
            getattr(self.transport, ending)()

    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Ending()
        transport = await attach(protocol, ours)
        transport.write(b"x" * BEYOND_KERNEL)
        await drain_peer(peer, BEYOND_KERNEL)
        await until(lambda: protocol.lost)
        assert protocol.lost == [None]
        assert protocol.calls == ["connection_made", "pause_writing", "resume_writing", "connection_lost"]
        peer.close()

    run(main)


def test_resume_writing_may_write_again(run: Run) -> None:
    class WritingAgain(Recorder):
        def resume_writing(self) -> None:
            super().resume_writing()
            if self.calls.count("resume_writing") < 3:
                self.transport.write(b"x" * BEYOND_KERNEL)

    async def main() -> None:
        ours, peer = unix_pair()
        protocol = WritingAgain()
        transport = await attach(protocol, ours)
        transport.write(b"x" * BEYOND_KERNEL)
        assert len(await drain_peer(peer, 3 * BEYOND_KERNEL)) == 3 * BEYOND_KERNEL
        await until(lambda: protocol.calls.count("resume_writing") == 3)
        transport.close()
        peer.close()

    run(main)


def test_closing_with_pending_bytes_stops_reading_but_goes_on_sending(run: Run) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        transport.write(b"x" * BEYOND_KERNEL)
        transport.close()
        peer.send(b"not heard")
        assert len(await drain_peer(peer, BEYOND_KERNEL)) == BEYOND_KERNEL
        await until(lambda: protocol.lost)
        assert "data_received" not in protocol.calls
        peer.close()

    run(main)


def test_bytes_written_in_a_callback_are_with_the_kernel_before_a_later_callback_closes_the_loop_side(
    run: Run,
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        transport = await attach(Recorder(), ours)
        loop.call_soon(transport.write, b"from a callback")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert receive_exactly(peer, 15) == b"from a callback"
        transport.close()
        peer.close()

    run(main)


def test_the_write_buffer_size_tells_what_the_kernel_did_not_take(run: Run) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        transport = await attach(Recorder(), ours)
        transport.write(b"small")
        assert transport.get_write_buffer_size() == 0
        transport.write(b"x" * BEYOND_KERNEL)
        left = transport.get_write_buffer_size()
        assert 0 < left <= BEYOND_KERNEL
        transport.write(b"y" * 1000)
        assert transport.get_write_buffer_size() == left + 1000
        transport.abort()
        peer.close()

    run(main)
