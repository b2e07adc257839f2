"""aiohttp's server and client, both on the loop under test, over TCP and over a Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.system.conftest import RunProgram

MEGABYTE = bytes(range(256)) * 4096


async def hello(request: web.Request) -> web.Response:
    return web.json_response({"hello": request.match_info["name"]})


async def mirror(request: web.Request) -> web.StreamResponse:
    """Send the request's body back while it arrives."""
    response = web.StreamResponse()
    await response.prepare(request)
    async for block in request.content.iter_any():
        await response.write(block)
    await response.write_eof()
    return response


async def talk(request: web.Request) -> web.WebSocketResponse:
    websocket = web.WebSocketResponse()
    await websocket.prepare(request)
    async for message in websocket:
        await websocket.send_str(f"you said: {message.data}")
    return websocket


@contextlib.asynccontextmanager
async def serving(unix_path: Path | None = None) -> AsyncIterator[str]:
    """Serve the application and yield its base address."""
    application = web.Application(client_max_size=0)
    application.add_routes([web.get("/hello/{name}", hello), web.post("/mirror", mirror), web.get("/talk", talk)])
    runner = web.AppRunner(application, shutdown_timeout=2)
    await runner.setup()
    try:
        if unix_path is not None:
            await web.UnixSite(runner, str(unix_path)).start()
            yield "http://localhost"
        else:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def ask(session: aiohttp.ClientSession, address: str, number: int) -> object:
    async with session.get(f"{address}/hello/{number}") as response:
        assert response.status == 200
        return await response.json()


def test_many_concurrent_requests(run_program: RunProgram) -> None:
    async def main() -> list[object]:
        async with serving() as address, aiohttp.ClientSession() as session:
            return await asyncio.gather(*(ask(session, address, number) for number in range(300)))

    assert run_program(main) == [{"hello": str(number)} for number in range(300)]


def test_unix_socket(run_program: RunProgram, tmp_path: Path) -> None:
    path = tmp_path / "aiohttp.sock"

    async def main() -> list[object]:
        connector = aiohttp.UnixConnector(str(path))
        async with serving(path) as address, aiohttp.ClientSession(connector=connector) as session:
            return await asyncio.gather(*(ask(session, address, number) for number in range(50)))

    assert run_program(main) == [{"hello": str(number)} for number in range(50)]


def test_large_body_streams_both_ways_at_once(run_program: RunProgram) -> None:
    async def blocks() -> AsyncIterator[bytes]:
        for start in range(0, len(MEGABYTE), 50_000):
            yield MEGABYTE[start : start + 50_000]

    async def main() -> bytes:
        async with (
            serving() as address,
            aiohttp.ClientSession() as session,
            session.post(f"{address}/mirror", data=blocks()) as response,
        ):
            return await response.read()

    assert run_program(main) == MEGABYTE


def test_websocket(run_program: RunProgram) -> None:
    async def main() -> None:
        async with (
            serving() as address,
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{address}/talk") as websocket,
        ):
            for number in range(100):
                await websocket.send_str(f"message {number}")
                assert await websocket.receive_str() == f"you said: message {number}"

    run_program(main)


def test_refused_connection_is_reported_to_the_client(run_program: RunProgram) -> None:
    async def main() -> None:
        async with serving() as address:
            pass
        async with aiohttp.ClientSession() as session:
            try:
                await ask(session, address, 0)
            except aiohttp.ClientConnectorError as error:
                assert isinstance(error.os_error, ConnectionRefusedError)  # noqa: PT017  # the cause is inside
            else:
                raise AssertionError("a request to a closed port was answered")

    run_program(main)


def test_request_that_takes_too_long_is_cancelled(run_program: RunProgram) -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def never_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()  # until the client gives up
            writer.close()
            await writer.wait_closed()
            ended.set()

        server = await asyncio.start_server(never_answers, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        timeout = aiohttp.ClientTimeout(total=0.05)
        async with server, aiohttp.ClientSession(timeout=timeout) as session:
            try:
                await ask(session, f"http://127.0.0.1:{port}", 0)
            except TimeoutError:
                await ended.wait()
            else:
                raise AssertionError("a server that never answers was answered for")

    run_program(main)
