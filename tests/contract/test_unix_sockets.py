"""Unix-socket servers and clients: paths, abstract names, what is left behind."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.contract.wire import Recorder, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Run


async def talk(path: str | Path, loop_protocol: Recorder) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: loop_protocol, path)
    client = Recorder()
    transport, _protocol = await loop.create_unix_connection(lambda: client, str(path))
    transport.write(b"hello")
    await until(lambda: loop_protocol.data == b"hello")
    loop_protocol.transport.write(b"x" * 500_000)
    loop_protocol.transport.close()
    await until(lambda: client.lost and loop_protocol.lost)
    assert len(client.data) == 500_000
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("kind", ["str", "Path"])
def test_a_server_on_a_path_is_reached_by_it(run: Run, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "socket"
    run(lambda: talk(str(path) if kind == "str" else path, Recorder()))


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
def test_a_server_on_an_abstract_name_is_reached_by_it(run: Run) -> None:
    run(lambda: talk(f"\0abstract name of {os.getpid()}", Recorder()))


def test_a_stale_socket_file_is_replaced(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    run(lambda: talk(path, Recorder()))


def test_a_file_that_is_no_socket_is_not_replaced(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("content")

    async def main() -> None:
        with pytest.raises(OSError, match="already in use"):
            await asyncio.get_running_loop().create_unix_server(Recorder, path)

    run(main)
    assert path.read_text() == "content"


def test_nobody_there_is_an_error_that_leaves_nothing(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(FileNotFoundError):
            await asyncio.get_running_loop().create_unix_connection(Recorder, str(tmp_path / "nobody"))

    run(main)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="servers clean up their socket file since Python 3.13")
def test_a_closed_server_removes_its_socket_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    run(lambda: talk(path, Recorder()))
    assert not path.exists()


def test_both_ends_tell_names_and_credentials(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def main() -> None:
        loop = asyncio.get_running_loop()
        accepted, client = Recorder(), Recorder()
        server = await loop.create_unix_server(lambda: accepted, path)
        transport, _protocol = await loop.create_unix_connection(lambda: client, str(path))
        await until(lambda: accepted.transport)
        assert transport.get_extra_info("peername") == str(path)
        assert accepted.transport.get_extra_info("sockname") == str(path)
        assert transport.get_extra_info("socket").family == socket.AF_UNIX
        transport.close()
        await until(lambda: client.lost and accepted.lost)
        server.close()
        await server.wait_closed()

    run(main)


def test_streams_talk_over_a_path(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")

    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        writer.close()
        await writer.wait_closed()

    async def main() -> None:
        server = await asyncio.start_unix_server(shout, path)
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"quiet\n")
        assert await reader.read() == b"QUIET\n"
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        await until(lambda: len(asyncio.all_tasks()) == 1)

    run(main)
