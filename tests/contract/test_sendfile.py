"""sendfile: the bytes of a file between the bytes of a transport, in order."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import pytest

from tests.contract.wire import Recorder, attach, drain_peer, tcp_pair, unix_pair, until

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Run

    Pair = Callable[[], tuple[socket.socket, socket.socket]]

CONTENT = bytes(range(256)) * 8192
PAIRS = {"unix": unix_pair, "tcp": tcp_pair}


@pytest.fixture(params=sorted(PAIRS))
def pair(request: pytest.FixtureRequest) -> Pair:
    return PAIRS[request.param]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize(
    ("offset", "count"),
    [(0, None), (1000, None), (0, 5000), (777, 100_000)],
    ids=["all", "tail", "head", "middle"],
)
def test_a_file_leaves_between_the_bytes_written_before_and_after(
    run: Run, pair: Pair, path: Path, offset: int, count: int | None
) -> None:
    wanted = CONTENT[offset:] if count is None else CONTENT[offset : offset + count]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = pair()
        transport = await attach(Recorder(), ours)
        with path.open("rb") as file:
            transport.write(b"be")
            transport.write(b"fore ")
            sending = asyncio.ensure_future(loop.sendfile(transport, file, offset, count))
            got = await drain_peer(peer, 7 + len(wanted))
            assert await sending == len(wanted)
            assert file.tell() == offset + len(wanted)
        transport.write(b" after")
        got += await drain_peer(peer, 6)
        assert got == b"before " + wanted + b" after"
        transport.close()
        peer.close()

    run(main)


def test_sendfile_waits_for_bytes_the_kernel_did_not_take_before(run: Run, path: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = tcp_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        before = b"x" * (8 << 20)
        with path.open("rb") as file:
            transport.write(before)
            sending = asyncio.ensure_future(loop.sendfile(transport, file))
            assert await drain_peer(peer, len(before) + len(CONTENT)) == before + CONTENT
            await sending
        transport.close()
        await until(lambda: protocol.lost)
        peer.close()

    run(main)


def test_a_source_without_a_descriptor_is_sent_by_the_fallback_or_refused(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        transport = await attach(Recorder(), ours)
        assert await loop.sendfile(transport, io.BytesIO(b"in memory")) == 9
        assert await drain_peer(peer, 9) == b"in memory"
        with pytest.raises(asyncio.SendfileNotAvailableError):
            await loop.sendfile(transport, io.BytesIO(b"in memory"), fallback=False)
        transport.close()
        peer.close()

    run(main)


def test_sendfile_on_a_closing_transport_is_refused(run: Run, path: Path) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        transport = await attach(Recorder(), ours)
        transport.close()
        with path.open("rb") as file, pytest.raises(RuntimeError, match=r"^Transport is closing$"):
            await asyncio.get_running_loop().sendfile(transport, file)
        peer.close()

    run(main)


def test_a_transport_reads_again_after_sendfile(run: Run, path: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        with path.open("rb") as file:
            sending = asyncio.ensure_future(loop.sendfile(transport, file))
            peer.send(b"hello")
            await drain_peer(peer, len(CONTENT))
            await sending
        await until(lambda: protocol.data == b"hello")
        transport.close()
        peer.close()

    run(main)


def test_sock_sendfile_sends_a_part_of_a_file(run: Run, pair: Pair, path: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = pair()
        with path.open("rb") as file:
            sending = asyncio.ensure_future(loop.sock_sendfile(ours, file, 10, 500_000))
            assert await drain_peer(peer, 500_000) == CONTENT[10:500_010]
            assert await sending == 500_000
        ours.close()
        peer.close()

    run(main)
