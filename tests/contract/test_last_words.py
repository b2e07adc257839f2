"""What was written just before the end of a connection: on asyncio it has left by then, so it must here (trap 15)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.contract.wire import Recorder, attach, receive_to_end, unix_pair, until

if TYPE_CHECKING:
    from tests.conftest import Run


def test_what_was_written_before_abort_leaves(run: Run) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        transport.write(b"last ")
        transport.write(b"words")
        transport.abort()
        await until(lambda: protocol.lost)
        assert receive_to_end(peer) == b"last words"
        peer.close()

    run(main)


def test_what_a_protocol_wrote_before_it_raised_leaves(run: Run, loop_errors: list[dict[str, Any]]) -> None:
    class Failing(Recorder):
        def data_received(self, data: bytes) -> None:
            self.transport.write(b"last words for " + data)
            raise ZeroDivisionError

    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Failing()
        await attach(protocol, ours)
        peer.send(b"you")
        await until(lambda: protocol.lost)
        assert receive_to_end(peer) == b"last words for you"
        peer.close()

    run(main)
    (context,) = loop_errors
    assert isinstance(context["exception"], ZeroDivisionError)
    loop_errors.clear()


def test_what_was_written_before_the_loop_stops_leaves(loop: asyncio.AbstractEventLoop) -> None:
    ours, peer = unix_pair()
    transport = loop.run_until_complete(attach(Recorder(), ours))

    def write_and_stop() -> None:
        transport.write(b"last words")
        loop.stop()

    loop.call_soon(write_and_stop)
    loop.run_forever()
    assert peer.recv(100) == b"last words"
    transport.close()
    loop.run_until_complete(asyncio.sleep(0))
    peer.close()
