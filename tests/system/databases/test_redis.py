"""redis.asyncio on the loop under test, against a real Redis."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.system.conftest import RunProgram
    from tests.system.databases.conftest import DatabaseServer

    Connect = Callable[[], contextlib.AbstractAsyncContextManager[Redis]]

MEGABYTE = bytes(range(256)) * 4096


@pytest.fixture(params=["tcp", "unix"])
def connect(request: pytest.FixtureRequest, redis_server: DatabaseServer) -> Connect:
    """Client on an empty database, over TCP and over the Unix socket."""

    @contextlib.asynccontextmanager
    async def connected() -> AsyncIterator[Redis]:
        if request.param == "tcp":
            client = Redis(host=redis_server.host, port=redis_server.port)
        else:
            client = Redis(unix_socket_path=str(redis_server.socket_path))
        async with client:
            yield client

    return connected


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """Name that no other test uses."""
    name: str = request.node.nodeid
    return name


def test_values_return_as_sent(connect: Connect, key: str, run_program: RunProgram) -> None:
    async def main() -> None:
        async with connect() as client:
            for value in (b"", b"\r\n", "ü".encode(), MEGABYTE):
                await client.set(key, value)
                assert await client.get(key) == value
            assert await client.get(key + " missing") is None

    run_program(main)


def test_pipeline_of_many_commands(connect: Connect, key: str, run_program: RunProgram) -> None:
    async def main() -> None:
        async with connect() as client, client.pipeline(transaction=True) as pipeline:
            for number in range(2000):
                pipeline.rpush(key, number)
            assert await pipeline.execute() == list(range(1, 2001))

    run_program(main)


async def count_up(client: Redis, key: str) -> list[int]:
    return [await client.incr(key) for _ in range(5)]


def test_many_tasks_share_the_pool(connect: Connect, key: str, run_program: RunProgram) -> None:
    async def main() -> None:
        async with connect() as client:
            counts = await asyncio.gather(*(count_up(client, key) for _ in range(80)))
            assert sorted(itertools.chain(*counts)) == list(range(1, 401))

    run_program(main)


def test_subscriber_hears_the_publisher(connect: Connect, key: str, run_program: RunProgram) -> None:
    async def main() -> None:
        async with connect() as client, client.pubsub() as subscription:
            await subscription.subscribe(key)
            messages = subscription.listen()
            assert (await anext(messages))["type"] == "subscribe"
            for number in range(50):
                assert await client.publish(key, number) == 1
            heard = [(await anext(messages))["data"] for _ in range(50)]
            assert heard == [str(number).encode() for number in range(50)]

    run_program(main)


async def pop(client: Redis, key: str) -> list[object]:
    return list(await client.blpop([key], timeout=10) or ())


async def server_to_block(client: Redis) -> None:
    """Ask until the server holds a client back; earlier, 3.11's wait_for may swallow a cancellation."""
    while (await client.info("clients"))["blocked_clients"] == 0:
        pass  # each question is a round trip, and the program has its time limit


def test_blocking_pop_waits_for_the_push(connect: Connect, key: str, run_program: RunProgram) -> None:
    async def main() -> None:
        async with connect() as client:
            waiting = asyncio.create_task(pop(client, key))
            await server_to_block(client)
            await client.rpush(key, "work")
            assert await waiting == [key.encode(), b"work"]

    run_program(main)


def test_cancelled_wait_does_not_mix_up_answers(connect: Connect, key: str, run_program: RunProgram) -> None:
    async def main() -> None:
        async with connect() as client:
            waiting = asyncio.create_task(pop(client, key))
            await server_to_block(client)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert waiting.cancelled()
            for number in range(20):
                assert await client.echo(f"{number}") == str(number).encode()

    run_program(main)


def test_killed_connection_is_replaced(connect: Connect, key: str, run_program: RunProgram) -> None:
    async def main() -> None:
        async with connect() as client, connect() as other:
            await client.set(key, "kept")
            killed = await other.client_kill_filter(_type="normal", skipme=True)
            assert killed >= 1
            assert await client.get(key) == b"kept"

    run_program(main)
