"""Datagram endpoints: addresses, errors, flow and endings."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.contract.wire import until

if TYPE_CHECKING:
    from tests.conftest import Run


class Grams(asyncio.DatagramProtocol):
    """Write down what arrives."""

    def __init__(self) -> None:
        self.grams: list[tuple[bytes, Any]] = []
        self.errors: list[Exception] = []
        self.lost: list[Exception | None] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.grams.append((data, addr))

    def error_received(self, exc: Exception) -> None:
        self.errors.append(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


async def endpoint(**options: Any) -> Grams:
    loop = asyncio.get_running_loop()
    _transport, protocol = await loop.create_datagram_endpoint(Grams, **options)
    return protocol


async def end(*protocols: Grams) -> None:
    for protocol in protocols:
        protocol.transport.close()
    await until(lambda: all(protocol.lost for protocol in protocols))
    assert all(protocol.lost == [None] for protocol in protocols)


def test_datagrams_arrive_with_their_senders_address(run: Run) -> None:
    async def main() -> None:
        left = await endpoint(local_addr=("127.0.0.1", 0))
        right = await endpoint(local_addr=("127.0.0.1", 0))
        here, there = (each.transport.get_extra_info("sockname") for each in (left, right))
        for data in (b"one", bytearray(b"two"), memoryview(b"three")):
            left.transport.sendto(data, there)
        await until(lambda: len(right.grams) == 3)
        assert right.grams == [(b"one", here), (b"two", here), (b"three", here)]
        await end(left, right)

    run(main)


def test_a_connected_endpoint_needs_no_address_and_refuses_another(run: Run) -> None:
    async def main() -> None:
        server = await endpoint(local_addr=("127.0.0.1", 0))
        client = await endpoint(remote_addr=server.transport.get_extra_info("sockname"))
        client.transport.sendto(b"question")
        await until(lambda: server.grams)
        data, address = server.grams[0]
        server.transport.sendto(data[::-1], address)
        await until(lambda: client.grams)
        assert client.grams[0][0] == b"noitseuq"
        with pytest.raises(ValueError, match=r"^Invalid address: must be None or "):
            client.transport.sendto(b"x", ("127.0.0.1", 9))
        await end(client, server)

    run(main)


def test_an_unreachable_peer_is_told_to_error_received_and_the_endpoint_lives(run: Run) -> None:
    async def main() -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            address = gone.getsockname()
        client = await endpoint(remote_addr=address)
        client.transport.sendto(b"anybody there?")
        await until(lambda: client.errors)
        assert isinstance(client.errors[0], ConnectionRefusedError)
        assert not client.transport.is_closing()
        await end(client)

    run(main)


def test_what_is_no_bytes_is_refused(run: Run) -> None:
    async def main() -> None:
        client = await endpoint(local_addr=("127.0.0.1", 0))
        wrong: Any = "text"
        with pytest.raises(TypeError, match=r"^data argument must be a bytes-like object, not 'str'$"):
            client.transport.sendto(wrong, ("127.0.0.1", 9))
        await end(client)

    run(main)


@pytest.mark.parametrize("ending", ["close", "abort"])
def test_an_ended_endpoint_is_closing_and_lost_once(run: Run, ending: str) -> None:
    async def main() -> None:
        sink = await endpoint(local_addr=("127.0.0.1", 0))
        client = await endpoint(remote_addr=sink.transport.get_extra_info("sockname"))
        getattr(client.transport, ending)()
        await until(lambda: client.lost)
        for _ in range(5):
            await asyncio.sleep(0)
        assert client.transport.is_closing()
        assert client.lost == [None]
        await end(sink)

    run(main)


def test_a_burst_of_datagrams_keeps_boundaries_and_order(run: Run) -> None:
    async def main() -> None:
        left = await endpoint(local_addr=("127.0.0.1", 0))
        right = await endpoint(local_addr=("127.0.0.1", 0))
        there = right.transport.get_extra_info("sockname")
        sent = [b"%03d" % number * (number + 1) for number in range(40)]
        for data in sent:
            left.transport.sendto(data, there)
        await until(lambda: len(right.grams) == 40)
        assert [data for data, _address in right.grams] == sent
        await end(left, right)

    run(main)


def test_a_protocol_that_fails_on_a_datagram_is_reported_and_its_endpoint_ended(
    run: Run, loop_errors: list[dict[str, Any]]
) -> None:
    class Failing(Grams):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            super().datagram_received(data, addr)
            raise ZeroDivisionError

    async def main() -> None:
        loop = asyncio.get_running_loop()
        client = await endpoint(local_addr=("127.0.0.1", 0))
        _transport, failing = await loop.create_datagram_endpoint(Failing, local_addr=("127.0.0.1", 0))
        client.transport.sendto(b"x", failing.transport.get_extra_info("sockname"))
        await until(lambda: loop_errors)
        failing.transport.close()
        await until(lambda: failing.lost)
        await end(client)

    run(main)
    assert isinstance(loop_errors.pop()["exception"], ZeroDivisionError)
