"""A transport's number reused by another transport within one batch of events (trap 6)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.contract.wire import Recorder, attach, unix_pair, until

if TYPE_CHECKING:
    import socket

    from tests.conftest import Run


def test_a_newcomer_on_a_recycled_number_gets_no_event_of_its_predecessor(run: Run) -> None:
    """Both transports are readable in one poll; the first served ends the second and takes its number."""

    class Replacing(Recorder):
        victim: Recorder
        newcomer: Recorder
        ends: tuple[socket.socket, socket.socket]
        attaching: asyncio.Task[asyncio.Transport] | None = None

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            sock = self.victim.transport.get_extra_info("socket")
            number = sock.fileno()
            self.victim.transport.abort()
            sock._sock.close()
            self.ends = unix_pair()
            assert self.ends[0].fileno() == number
            self.attaching = asyncio.ensure_future(attach(self.newcomer, self.ends[0]))

    async def main() -> None:
        (first, first_peer), (second, second_peer) = unix_pair(), unix_pair()
        replacing = Replacing()
        replacing.victim, replacing.newcomer = Recorder(), Recorder()
        await attach(replacing, first)
        await attach(replacing.victim, second)
        first_peer.send(b"end the other")
        second_peer.send(b"for nobody")
        second_peer.close()
        await until(lambda: replacing.attaching)
        assert replacing.attaching is not None
        await replacing.attaching
        for _ in range(10):
            await asyncio.sleep(0)
        assert replacing.newcomer.calls == ["connection_made"]
        replacing.ends[1].send(b"for the newcomer")
        await until(lambda: replacing.newcomer.data)
        assert replacing.newcomer.data == b"for the newcomer"
        assert replacing.victim.data == b""
        assert replacing.victim.lost == [None]
        for protocol in (replacing, replacing.newcomer):
            protocol.transport.abort()
        await until(lambda: replacing.lost and replacing.newcomer.lost)
        for peer in (first_peer, replacing.ends[1]):
            peer.close()

    run(main)
