"""Servers: what a failing protocol, a full descriptor table or a close does to accepting (traps 2, 18)."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.wire import PATIENCE, Recorder, receive_to_end, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Child, Run


class Failing:
    """A protocol factory or connection_made that fails the first time only."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.made: list[Recorder] = []
        self.failures = 0

    def __call__(self) -> Recorder:
        if self.where == "factory" and not self.failures:
            self.failures += 1
            raise ZeroDivisionError("factory")
        recorder = FailingRecorder(self) if self.where == "connection_made" else Recorder()
        self.made.append(recorder)
        return recorder


class FailingRecorder(Recorder):
    def __init__(self, owner: Failing) -> None:
        super().__init__()
        self.owner = owner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if not self.owner.failures:
            self.owner.failures += 1
            raise ZeroDivisionError("connection_made")


def dial(server: asyncio.Server) -> socket.socket:
    return socket.create_connection(server.sockets[0].getsockname(), timeout=PATIENCE)


async def serve(factory: Callable[[], asyncio.BaseProtocol]) -> asyncio.Server:
    return await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)


def test_connection_made_that_raises_is_reported_and_accepting_goes_on(
    run: Run, loop_errors: list[dict[str, Any]]
) -> None:
    async def main() -> None:
        factory = Failing("connection_made")
        server = await serve(factory)
        first = dial(server)
        await until(lambda: loop_errors)
        second = dial(server)
        await until(lambda: len(factory.made) == 2)
        second.sendall(b"heard")
        await until(lambda: factory.made[1].data == b"heard")
        first.close()
        second.close()
        await until(lambda: factory.made[1].lost)
        server.close()
        await server.wait_closed()

    run(main)
    (context,) = loop_errors
    assert isinstance(context["exception"], ZeroDivisionError)
    loop_errors.clear()


@pytest.mark.asyncio_wrong(True, reason="cpython#155934: silent out of debug mode, the socket is left to the GC")
def test_a_protocol_factory_that_raises_is_reported_its_connection_closed_and_accepting_goes_on(
    run: Run, loop_errors: list[dict[str, Any]]
) -> None:
    async def main() -> None:
        factory = Failing("factory")
        server = await serve(factory)
        first = dial(server)
        await until(lambda: loop_errors)
        assert receive_to_end(first) == b""
        first.close()
        second = dial(server)
        await until(lambda: factory.made)
        second.close()
        await until(lambda: factory.made[0].lost)
        server.close()
        await server.wait_closed()

    run(main)
    (context,) = loop_errors
    assert isinstance(context["exception"], ZeroDivisionError)
    loop_errors.clear()


def test_a_backlog_full_of_connections_is_accepted_whole(run: Run) -> None:
    async def main() -> None:
        made: list[Recorder] = []

        def factory() -> Recorder:
            made.append(Recorder())
            return made[-1]

        server = await serve(factory)
        clients = [dial(server) for _ in range(90)]
        await until(lambda: len(made) == 90)
        for client in clients:
            client.close()
        await until(lambda: all(protocol.lost for protocol in made))
        server.close()
        await server.wait_closed()

    run(main)


def test_connections_of_both_sides_are_not_delayed_by_nagle(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        accepted, connected = Recorder(), Recorder()
        server = await serve(lambda: accepted)
        host, port = server.sockets[0].getsockname()
        await loop.create_connection(lambda: connected, host, port)
        await until(lambda: accepted.transport)
        for protocol in (accepted, connected):
            sock = protocol.transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.gettimeout() == 0
        assert accepted.transport.get_extra_info("peername") == connected.transport.get_extra_info("sockname")
        assert accepted.transport.get_extra_info("sockname") == (host, port)
        assert accepted.transport.get_extra_info("nothing", "default") == "default"
        connected.transport.close()
        await until(lambda: accepted.lost and connected.lost)
        server.close()
        await server.wait_closed()

    run(main)


def test_a_closed_server_refuses_connections_and_keeps_those_it_has(run: Run) -> None:
    async def main() -> None:
        protocol = Recorder()
        server = await serve(lambda: protocol)
        address = server.sockets[0].getsockname()
        assert server.is_serving()
        client = dial(server)
        await until(lambda: protocol.transport)
        server.close()
        assert not server.is_serving()
        assert server.sockets == ()
        await asyncio.sleep(0)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=PATIENCE)
        client.sendall(b"still here")
        await until(lambda: protocol.data == b"still here")
        client.close()
        await until(lambda: protocol.lost)
        await server.wait_closed()

    run(main)


def test_a_server_that_is_not_started_accepts_after_start_serving(run: Run) -> None:
    async def main() -> None:
        protocol = Recorder()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: protocol, "127.0.0.1", 0, start_serving=False)
        assert not server.is_serving()
        await server.start_serving()
        client = dial(server)
        await until(lambda: protocol.transport)
        client.close()
        await until(lambda: protocol.lost)
        server.close()
        await server.wait_closed()

    run(main)


def test_a_client_that_is_gone_before_it_is_accepted_harms_nobody(run: Run) -> None:
    async def main() -> None:
        made: list[Recorder] = []

        def factory() -> Recorder:
            made.append(Recorder())
            return made[-1]

        server = await serve(factory)
        for _ in range(10):
            client = dial(server)
            # A reset instead of an orderly end: accept or the first read may fail.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            client.close()
        last = dial(server)
        last.sendall(b"hello")
        await until(lambda: any(protocol.data for protocol in made))
        last.close()
        await until(lambda: all(protocol.lost for protocol in made))
        server.close()
        await server.wait_closed()

    run(main)


def test_streams_serve_and_echo(run: Run) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for line in reader:
            writer.write(line)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def talk(port: int, number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for count in range(20):
            line = b"%d %d\n" % (number, count)
            writer.write(line)
            assert await reader.readline() == line
        writer.close()
        await writer.wait_closed()

    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        await asyncio.gather(*(talk(port, number) for number in range(20)))
        server.close()
        await server.wait_closed()
        await until(lambda: len(asyncio.all_tasks()) == 1)

    run(main)


OUT_OF_DESCRIPTORS = """
import resource, time
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
errors = []
async def main(scenario):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: errors.append(context))
    made = []
    class Protocol(asyncio.Protocol):
        def connection_made(self, transport):
            made.append(transport)
    server = await loop.create_server(Protocol, "127.0.0.1", 0)
    clients = [socket.create_connection(server.sockets[0].getsockname()) for _ in range(3)]
    ballast = []
    while True:
        try:
            ballast.append(os.dup(0))
        except OSError:
            break
    turns = 0
    while not errors:
        await asyncio.sleep(0)
    errors_before = len(errors)
    assert errors[0]["message"] == "socket.accept() out of system resource", errors
    assert isinstance(errors[0]["exception"], OSError)
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(errors) == errors_before, "accept is tried again without a pause"
    if scenario == "close during back-off":
        server.close()
    for fd in ballast:
        os.close(fd)
    if scenario == "recover":
        async with asyncio.timeout(5):
            while len(made) < 3:
                await asyncio.sleep(0.01)
        server.close()
    else:
        # The timer of the back-off fires after one second, on a server that is gone.
        await asyncio.sleep(1.2)
        assert not made
    for transport in made:
        transport.abort()
    for client in clients:
        client.close()
    await server.wait_closed()
    say(len(made), "accepted,", len(errors) - errors_before, "more errors")
loop = new_loop()
loop.run_until_complete(main(sys.argv[1]))
loop.close()
"""


@pytest.mark.parametrize(
    ("scenario", "accepted"),
    [
        ("recover", 3),
        pytest.param(
            "close during back-off",
            0,
            marks=pytest.mark.asyncio_wrong(True, reason="its timer serves on the closed socket and reports it"),
        ),
    ],
)
def test_accept_backs_off_when_descriptors_run_out(child: Child, scenario: str, accepted: int) -> None:
    output, errors = child(OUT_OF_DESCRIPTORS, scenario).communicate(timeout=PATIENCE * 2)
    assert (output, errors) == (f"{accepted} accepted, 0 more errors\n", "")
