"""Echo servers on asyncio's streams (each with drain) and on the loop's own socket methods."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from bench.compare.servers.endpoint import Endpoint, announce

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _serve(handler: Handler, endpoint: Endpoint) -> None:
    if endpoint.unix:
        server = await asyncio.start_unix_server(handler, endpoint.unix, backlog=4096)
        announce(endpoint.unix)
    else:
        server = await asyncio.start_server(handler, sock=endpoint.listen(), backlog=4096)
    await asyncio.get_running_loop().create_future()  # rloop's serve_forever() refuses every later connection
    server.close()


async def read(endpoint: Endpoint) -> None:
    """Serve streams: read at most 64 KiB, write, drain."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    await _serve(handle, endpoint)


async def readline(endpoint: Endpoint) -> None:
    """Serve streams: read a line, write, drain."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.readline():
            writer.write(data)
            await writer.drain()
        writer.close()

    await _serve(handle, endpoint)


async def readexactly(endpoint: Endpoint) -> None:
    """Serve streams: read exactly one message, write, drain."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                data = await reader.readexactly(endpoint.size)
            except asyncio.IncompleteReadError:
                break  # the client closed between two messages
            writer.write(data)
            await writer.drain()
        writer.close()

    await _serve(handle, endpoint)


async def sockets(endpoint: Endpoint) -> None:
    """Serve sockets: sock_recv of 16 KiB, sock_sendall; one task per connection."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def handle(connection: socket.socket) -> None:
        with connection:
            while data := await loop.sock_recv(connection, 16384):
                await loop.sock_sendall(connection, data)

    listener = endpoint.listen()
    while True:
        connection, _ = await loop.sock_accept(listener)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = loop.create_task(handle(connection))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
