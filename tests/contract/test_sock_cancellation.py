"""sock_recv and its kin cancelled in the poll's batch that brought their readiness: nothing is lost (trap 7).

A second descriptor that becomes readable first carries the cancel, so that it runs between the poll and the call's own
callback. The other order, cancel after the callback has taken the data, is asyncio's own code, which drops it.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.wire import unix_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.conftest import Run


async def cancel_between_poll_and_callback(call: Coroutine[Any, Any, Any], make_ready: Callable[[], object]) -> None:
    """Cancel a waiting sock_ call by a descriptor that is reported by the same poll, before it."""
    loop = asyncio.get_running_loop()
    waiting = asyncio.ensure_future(call)
    carrier, trigger = unix_pair()

    def cancel() -> None:
        loop.remove_reader(carrier)
        waiting.cancel()

    loop.add_reader(carrier, cancel)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    trigger.send(b"x")
    make_ready()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    carrier.close()
    trigger.close()


@pytest.mark.parametrize("name", ["sock_recv", "sock_recv_into", "sock_recvfrom"])
def test_a_receive_cancelled_after_its_data_was_reported_leaves_the_data(run: Run, name: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        argument: Any = bytearray(100) if name == "sock_recv_into" else 100
        await cancel_between_poll_and_callback(getattr(loop, name)(ours, argument), lambda: peer.send(b"kept"))
        assert loop.remove_reader(ours) is False
        assert await loop.sock_recv(ours, 100) == b"kept"
        ours.close()
        peer.close()

    run(main)


@pytest.mark.asyncio_wrong(sys.version_info < (3, 15), reason="it takes the connection and drops it (cpython#153761)")
def test_an_accept_cancelled_after_its_connection_was_reported_leaves_the_connection(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as peer:
            listener.setblocking(False)
            await cancel_between_poll_and_callback(
                loop.sock_accept(listener), lambda: peer.connect(listener.getsockname())
            )
            connection, address = await loop.sock_accept(listener)
            assert address == peer.getsockname()
            connection.close()

    run(main)
