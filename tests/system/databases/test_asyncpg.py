"""asyncpg on the loop under test, against a real PostgreSQL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]  # it ships types without the marker that admits them
import pytest

if TYPE_CHECKING:
    from tests.system.conftest import RunProgram
    from tests.system.databases.conftest import DatabaseServer

MEGABYTE = bytes(range(256)) * 4096


@pytest.fixture(params=["tcp", "unix"])
def address(request: pytest.FixtureRequest, postgres_server: DatabaseServer) -> dict[str, Any]:
    """Arguments of `asyncpg.connect`, over TCP and over the Unix socket."""
    host = postgres_server.host if request.param == "tcp" else str(postgres_server.socket_path.parent)
    return {
        "host": host,
        "port": postgres_server.port,
        "user": "clearloop",
        "database": "postgres",
        "ssl": False,
    }


def test_values_of_many_types_return_as_sent(address: dict[str, Any], run_program: RunProgram) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(**address)
        try:
            row = await connection.fetchrow(
                "SELECT $1::int8, $2::text, $3::bytea, $4::float8[]", -(2**63), "ü", MEGABYTE, [0.5, 1e300]
            )
            assert tuple(row) == (-(2**63), "ü", MEGABYTE, [0.5, 1e300])
        finally:
            await connection.close()

    run_program(main)


def test_many_rows_in_and_out(address: dict[str, Any], run_program: RunProgram) -> None:
    rows = [(number, f"name {number}") for number in range(2000)]

    async def main() -> None:
        connection = await asyncpg.connect(**address)
        try:
            await connection.execute("CREATE TEMPORARY TABLE item (id int, name text)")
            await connection.executemany("INSERT INTO item VALUES ($1, $2)", rows[:1000])
            await connection.copy_records_to_table("item", records=rows[1000:])
            fetched = await connection.fetch("SELECT id, name FROM item ORDER BY id")
            assert [tuple(row) for row in fetched] == rows
            async with connection.transaction():
                cursor = [row["id"] async for row in connection.cursor("SELECT id FROM item ORDER BY id")]
            assert cursor == list(range(2000))
        finally:
            await connection.close()

    run_program(main)


async def insert_twice(connection: Any) -> None:
    async with connection.transaction():
        await connection.execute("INSERT INTO item VALUES (1)")
        await connection.execute("INSERT INTO item VALUES (1)")


def test_failed_transaction_leaves_nothing(address: dict[str, Any], run_program: RunProgram) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(**address)
        try:
            await connection.execute("CREATE TEMPORARY TABLE item (id int PRIMARY KEY)")
            with pytest.raises(asyncpg.UniqueViolationError):
                await insert_twice(connection)
            assert await connection.fetchval("SELECT count(*) FROM item") == 0
        finally:
            await connection.close()

    run_program(main)


def test_pool_serves_many_tasks(address: dict[str, Any], run_program: RunProgram) -> None:
    async def main() -> None:
        async with asyncpg.create_pool(**address, min_size=2, max_size=10) as pool:
            doubled = await asyncio.gather(*(pool.fetchval("SELECT $1::int * 2", n) for n in range(200)))
        assert doubled == [2 * number for number in range(200)]

    run_program(main)


def test_cancelled_query_leaves_a_usable_connection(address: dict[str, Any], run_program: RunProgram) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(**address)
        try:
            with pytest.raises(TimeoutError):
                await connection.fetch("SELECT pg_sleep(30)", timeout=0.05)
            task = asyncio.create_task(connection.fetch("SELECT pg_sleep(30)"))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            assert await connection.fetchval("SELECT 42") == 42
        finally:
            await connection.close()

    run_program(main)


def test_notification_arrives(address: dict[str, Any], run_program: RunProgram) -> None:
    async def main() -> None:
        listener, speaker = await asyncpg.connect(**address), await asyncpg.connect(**address)
        heard: asyncio.Queue[str] = asyncio.Queue()
        try:
            await listener.add_listener("news", lambda *arguments: heard.put_nowait(arguments[-1]))
            for number in range(10):
                await speaker.execute(f"NOTIFY news, 'message {number}'")
            assert [await heard.get() for _ in range(10)] == [f"message {number}" for number in range(10)]
        finally:
            await listener.close()
            await speaker.close()

    run_program(main)


def test_server_that_ends_the_session_is_noticed(address: dict[str, Any], run_program: RunProgram) -> None:
    async def main() -> None:
        victim, other = await asyncpg.connect(**address), await asyncpg.connect(**address)
        ended = asyncio.Event()
        try:
            victim.add_termination_listener(lambda _connection: ended.set())
            await other.execute("SELECT pg_terminate_backend($1)", victim.get_server_pid())
            await ended.wait()
            assert victim.is_closed()
        finally:
            await victim.close()
            await other.close()

    run_program(main)
