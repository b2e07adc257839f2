"""Echo servers on protocols: plain, buffered, datagram. TLS is the plain one with a certificate."""

import asyncio
from typing import cast

from bench.compare.servers.endpoint import Endpoint, announce

BUFFER_SIZE = 65536


class Echo(asyncio.Protocol):
    """Sends back what it receives; the load has one message under way, so the write buffer stays bounded."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Send it back."""
        self.transport.write(data)


class BufferedEcho(asyncio.BufferedProtocol):
    """Sends back what the loop put into the protocol's own buffer, as a copy: the buffer is used again."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and make the buffer."""
        self.transport = cast("asyncio.Transport", transport)
        self.view = memoryview(bytearray(BUFFER_SIZE))

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  asyncio's signature
        """Lend the whole buffer."""
        return self.view

    def buffer_updated(self, nbytes: int) -> None:
        """Send it back."""
        self.transport.write(bytes(self.view[:nbytes]))


class DatagramEcho(asyncio.DatagramProtocol):
    """Sends each datagram back to where it came from."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Send it back."""
        self.transport.sendto(data, addr)


async def _serve(factory: type[asyncio.BaseProtocol], endpoint: Endpoint) -> None:
    loop = asyncio.get_running_loop()
    listener = endpoint.listen()
    # kept in a name so that nothing closes it; not serve_forever(): rloop's refuses every later connection
    _server = await loop.create_server(factory, sock=listener, backlog=4096, ssl=endpoint.tls())
    await loop.create_future()


async def protocol(endpoint: Endpoint) -> None:
    """Serve the plain protocol."""
    await _serve(Echo, endpoint)


async def buffered(endpoint: Endpoint) -> None:
    """Serve the buffered protocol."""
    await _serve(BufferedEcho, endpoint)


async def datagram(endpoint: Endpoint) -> None:  # noqa: ARG001  every kind of server has one signature
    """Serve datagrams."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(DatagramEcho, local_addr=("127.0.0.1", 0))
    announce(transport.get_extra_info("sockname")[1])
    await loop.create_future()
