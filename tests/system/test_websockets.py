"""websockets' asyncio server and client, both on the loop under test."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.system.conftest import RunProgram

MEGABYTE = bytes(range(256)) * 4096


async def echo(connection: ServerConnection) -> None:
    """Send each message back; the text `close` ends the conversation with a code."""
    async for message in connection:
        if message == "close":
            await connection.close(4000, "as asked")
        else:
            await connection.send(message)


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[str]:
    async with serve(echo, "127.0.0.1", 0, max_size=2**22) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


def test_text_and_binary_messages_of_all_frame_sizes(run_program: RunProgram) -> None:
    messages: list[str | bytes] = [
        "",
        "ü",
        "x" * 125,
        "x" * 126,
        "x" * 65_535,
        "x" * 65_536,
        b"",
        b"\x00" * 70_000,
        MEGABYTE,
    ]

    async def main() -> None:
        async with serving() as address, connect(address, max_size=2**22) as connection:
            for message in messages:
                await connection.send(message)
                assert await connection.recv() == message

    run_program(main)


def test_many_connections_talk_at_once(run_program: RunProgram) -> None:
    async def converse(address: str, number: int) -> None:
        async with connect(address) as connection:
            for count in range(20):
                await connection.send(f"{number} {count}")
            for count in range(20):
                assert await connection.recv() == f"{number} {count}"

    async def main() -> None:
        async with serving() as address, asyncio.TaskGroup() as group:
            for number in range(50):
                group.create_task(converse(address, number))

    run_program(main)


def test_ping_is_answered(run_program: RunProgram) -> None:
    async def main() -> float:
        async with serving() as address, connect(address) as connection:
            return await (await connection.ping())

    assert run_program(main) > 0


def test_close_code_of_the_server_arrives(run_program: RunProgram) -> None:
    async def main() -> None:
        async with serving() as address, connect(address) as connection:
            await connection.send("close")
            with pytest.raises(ConnectionClosedError) as caught:
                await connection.recv()
            assert caught.value.rcvd is not None
            assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4000, "as asked")

    run_program(main)


def test_server_that_goes_away_closes_its_connections(run_program: RunProgram) -> None:
    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            address = await stack.enter_async_context(serving())
            connection = await connect(address)
            await stack.aclose()
            with pytest.raises(ConnectionClosedOK) as caught:
                await connection.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1001

    run_program(main)


def test_lost_connection_is_reported(run_program: RunProgram) -> None:
    async def main() -> None:
        async with serving() as address, connect(address) as connection:
            connection.transport.abort()
            with pytest.raises(ConnectionClosedError):
                await connection.recv()

    run_program(main)
