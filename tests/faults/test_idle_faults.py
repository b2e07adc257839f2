"""A connection with nothing to do costs no turns, whatever its peer does: bounded turns, not bounded time.

While a chain of CHAIN timers runs, a loop that waits makes a few turns for each; one that polls busily, thousands.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.wire import BEYOND_KERNEL, Recorder, attach, tcp_pair, unix_pair, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Run

CHAIN = 10
MOST_TURNS = 10 * CHAIN


@pytest.fixture
def turns(loop: asyncio.SelectorEventLoop, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Tell how many turns the loop has made; asyncio's are counted where it makes them."""
    counting: Any = loop
    if hasattr(counting, "statistics"):
        return lambda: int(counting.statistics().turns)
    made = [0]
    original = counting._run_once

    def counted() -> None:
        made[0] += 1
        original()

    monkeypatch.setattr(loop, "_run_once", counted)
    return lambda: made[0]


async def turns_of_a_chain_of_timers(turns: Callable[[], int]) -> int:
    loop = asyncio.get_running_loop()
    before = turns()
    for _ in range(CHAIN):
        fired = loop.create_future()
        loop.call_later(0.002, fired.set_result, None)
        await fired
    return turns() - before


def hang_up(peer: socket.socket) -> None:
    peer.close()


def half_close_then_hang_up(peer: socket.socket) -> None:
    peer.shutdown(socket.SHUT_WR)
    peer.close()


@pytest.mark.parametrize("end", [hang_up, half_close_then_hang_up])
@pytest.mark.parametrize("pair", [unix_pair, tcp_pair])
def test_a_paused_connection_whose_peer_hung_up_makes_no_turns(
    run: Run,
    turns: Callable[[], int],
    pair: Callable[[], tuple[socket.socket, socket.socket]],
    end: Callable[[socket.socket], None],
) -> None:
    async def main() -> None:
        ours, peer = pair()
        protocol = Recorder()
        transport = await attach(protocol, ours)
        transport.pause_reading()
        peer.send(b"unread")
        end(peer)
        assert await turns_of_a_chain_of_timers(turns) <= MOST_TURNS
        assert protocol.calls == ["connection_made"]
        transport.resume_reading()
        await until(lambda: protocol.lost)
        assert protocol.data == b"unread"

    run(main)


def test_a_connection_kept_open_after_its_peers_end_of_file_makes_no_turns(run: Run, turns: Callable[[], int]) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Recorder()
        protocol.keep_open_after_eof = True
        transport = await attach(protocol, ours)
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: "eof_received" in protocol.calls)
        assert await turns_of_a_chain_of_timers(turns) <= MOST_TURNS
        peer.close()
        assert await turns_of_a_chain_of_timers(turns) <= MOST_TURNS
        assert protocol.calls.count("eof_received") == 1
        transport.close()
        await until(lambda: protocol.lost)

    run(main)


@pytest.mark.parametrize("closing", [False, True], ids=["open", "closing"])
def test_a_full_connection_whose_peer_ended_its_half_waits_without_turns(
    run: Run, turns: Callable[[], int], *, closing: bool
) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        protocol = Recorder()
        protocol.keep_open_after_eof = True
        transport = await attach(protocol, ours)
        transport.pause_reading()
        transport.write(b"x" * BEYOND_KERNEL)
        if closing:
            transport.close()
        peer.send(b"unread")
        peer.shutdown(socket.SHUT_WR)
        assert await turns_of_a_chain_of_timers(turns) <= MOST_TURNS
        assert protocol.lost == []
        transport.abort()
        await until(lambda: protocol.lost)
        peer.close()

    run(main)
