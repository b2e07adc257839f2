"""TLS over the loop's transports: echo, upgrades, endings and refusals (trap 21)."""

from __future__ import annotations

import asyncio
import gc
import ssl
import subprocess
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest

from tests.contract.wire import Recorder, received, unix_pair, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Run


class Contexts(NamedTuple):
    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    folder: Path = tmp_path_factory.mktemp("certificate")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    extensions = "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
    usage = "-addext keyUsage=digitalSignature,keyCertSign"
    command = [*f"{request} {extensions} {usage}".split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return Contexts(server, ssl.create_default_context(cafile=str(certificate)))


class Echo(Recorder):
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.transport.write(data)


async def serve(contexts: Contexts, protocol: Recorder) -> tuple[asyncio.Server, int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: protocol, "127.0.0.1", 0, ssl=contexts.server)
    return server, server.sockets[0].getsockname()[1]


async def dial(contexts: Contexts, protocol: Recorder, port: int) -> asyncio.Transport:
    transport, _protocol = await asyncio.get_running_loop().create_connection(
        lambda: protocol, "127.0.0.1", port, ssl=contexts.client, server_hostname="localhost"
    )
    return transport


async def end(server: asyncio.Server) -> None:
    server.close()
    await server.wait_closed()


def test_a_tls_echo_returns_small_and_large_messages_whole(run: Run, contexts: Contexts) -> None:
    async def main() -> None:
        echo, client = Echo(), Recorder()
        server, port = await serve(contexts, echo)
        transport = await dial(contexts, client, port)
        for size in (1, 1000, 100_000, 2_000_000):
            client.data.clear()
            message = bytes(range(250)) * (size // 250) or b"x"
            transport.write(message[: size // 2])
            transport.writelines([message[size // 2 :]])
            await received(client, len(message))
            assert client.data == message
        transport.close()
        await until(lambda: client.lost and echo.lost)
        assert client.lost == echo.lost == [None]
        await end(server)

    run(main)


def test_a_tls_transport_tells_its_session_and_cannot_be_half_closed(run: Run, contexts: Contexts) -> None:
    async def main() -> None:
        echo, client = Recorder(), Recorder()
        server, port = await serve(contexts, echo)
        transport = await dial(contexts, client, port)
        certificate = transport.get_extra_info("peercert")
        assert certificate["subjectAltName"] == (("DNS", "localhost"),)
        assert transport.get_extra_info("cipher")[1].startswith("TLS")
        assert isinstance(transport.get_extra_info("ssl_object"), ssl.SSLObject)
        assert transport.get_extra_info("sslcontext") is contexts.client
        assert not transport.can_write_eof()
        with pytest.raises(NotImplementedError):
            transport.write_eof()
        transport.close()
        await until(lambda: client.lost and echo.lost)
        await end(server)

    run(main)


def test_eof_received_that_returns_true_does_not_keep_a_tls_connection(
    run: Run, contexts: Contexts, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        keeping, client = Recorder(), Recorder()
        keeping.keep_open_after_eof = True
        server, port = await serve(contexts, keeping)
        transport = await dial(contexts, client, port)
        transport.close()
        await until(lambda: client.lost and keeping.lost)
        assert "eof_received" in keeping.calls
        await end(server)

    run(main)
    assert "returning true from eof_received() has no effect when using ssl" in caplog.text


def test_close_flushes_what_tls_has_not_sent(run: Run, contexts: Contexts) -> None:
    async def main() -> None:
        sink, client = Recorder(), Recorder()
        server, port = await serve(contexts, sink)
        transport = await dial(contexts, client, port)
        transport.write(b"x" * 2_000_000)
        transport.close()
        await until(lambda: client.lost and sink.lost)
        assert len(sink.data) == 2_000_000
        await end(server)

    run(main)


def test_abort_of_a_tls_connection_drops_it_at_once(run: Run, contexts: Contexts) -> None:
    async def main() -> None:
        sink, client = Recorder(), Recorder()
        server, port = await serve(contexts, sink)
        transport = await dial(contexts, client, port)
        transport.abort()
        assert client.lost == []
        await until(lambda: client.lost and sink.lost)
        assert client.lost == [None]
        await end(server)

    run(main)


def test_a_peer_that_closes_while_data_flows_in_loses_the_connection_once(run: Run, contexts: Contexts) -> None:
    class Closing(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.transport.close()

    async def main() -> None:
        closing, client = Closing(), Recorder()
        server, port = await serve(contexts, closing)
        transport = await dial(contexts, client, port)
        for _ in range(50):
            transport.write(b"x" * 10_000)
        await until(lambda: closing.lost)
        transport.abort()
        await until(lambda: client.lost)
        assert len(closing.lost) == len(client.lost) == 1
        await end(server)

    run(main)


def test_a_client_that_does_not_trust_the_server_fails_and_nothing_is_left(
    run: Run, contexts: Contexts, loop_errors: list[dict[str, Any]]
) -> None:
    async def main() -> None:
        server, port = await serve(contexts, Recorder())
        strict = Contexts(contexts.server, ssl.create_default_context())
        with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
            await dial(strict, Recorder(), port)
        for _ in range(20):
            await asyncio.sleep(0)
        await end(server)

    run(main)
    # The server's side of a refused handshake may be reported or not, by the order of packets.
    assert all(isinstance(context["exception"], OSError) for context in loop_errors)
    loop_errors.clear()


def test_a_mute_server_ends_the_handshake_by_its_time_limit(run: Run, contexts: Contexts) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        with pytest.raises(ConnectionAbortedError, match=r"SSL handshake is taking longer than 0\.02 seconds"):
            await asyncio.get_running_loop().create_connection(
                Recorder,
                sock=ours,
                ssl=contexts.client,
                server_hostname="localhost",
                ssl_handshake_timeout=0.02,
            )
        peer.close()

    run(main)


def test_a_server_that_hangs_up_in_the_handshake_is_a_lost_connection(run: Run, contexts: Contexts) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        loop = asyncio.get_running_loop()
        loop.call_later(0.001, peer.close)
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await loop.create_connection(Recorder, sock=ours, ssl=contexts.client, server_hostname="localhost")

    run(main)


def test_a_cancelled_handshake_leaves_no_descriptor(run: Run, contexts: Contexts) -> None:
    async def main() -> None:
        ours, peer = unix_pair()
        task = asyncio.ensure_future(
            asyncio.get_running_loop().create_connection(
                Recorder, sock=ours, ssl=contexts.client, server_hostname="localhost"
            )
        )
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(5):
            await asyncio.sleep(0)
        assert ours.fileno() == -1
        peer.close()

    run(main)


class EarlyEcho(Echo):
    """An echo whose first bytes may come before start_tls() has told it its transport."""

    def data_received(self, data: bytes) -> None:
        if self.transport is None:
            Recorder.data_received(self, data)
        else:
            super().data_received(data)

    def begin(self, transport: asyncio.Transport) -> None:
        self.connection_made(transport)
        transport.write(bytes(self.data))


class Upgrading(Recorder):
    """Answer the plain word STARTTLS with OK, then go on in TLS; what follows is echoed."""

    def __init__(self, contexts: Contexts) -> None:
        super().__init__()
        self.contexts = contexts
        self.upgrade: asyncio.Task[None] | None = None
        self.echo = EarlyEcho()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.data == b"STARTTLS":
            # Both writes are still held by a corking transport when start_tls() takes it over.
            self.transport.write(b"O")
            self.transport.write(b"K")
            self.upgrade = asyncio.ensure_future(self.go_on_in_tls())

    async def go_on_in_tls(self) -> None:
        loop = asyncio.get_running_loop()
        upgraded = await loop.start_tls(self.transport, self.echo, self.contexts.server, server_side=True)
        self.echo.begin(cast("asyncio.Transport", upgraded))


def test_start_tls_comes_after_all_plain_bytes_on_both_sides(run: Run, contexts: Contexts) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        upgrading, plain, secret = Upgrading(contexts), Recorder(), Recorder()
        server = await loop.create_server(lambda: upgrading, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        transport, _protocol = await loop.create_connection(lambda: plain, host, port)
        transport.write(b"START")
        transport.write(b"TLS")
        await until(lambda: plain.data == b"OK")
        upgraded = await loop.start_tls(transport, secret, contexts.client, server_hostname="localhost")
        assert upgraded is not None
        upgraded.write(b"x" * 300_000)
        await until(lambda: len(secret.data) == 300_000)
        assert upgrading.data == b"STARTTLS"
        assert plain.data == b"OK"
        upgraded.close()
        await until(lambda: secret.lost and upgrading.echo.lost)
        await end(server)

    run(main)


def test_bytes_written_in_the_step_that_starts_tls_leave_before_the_handshake(run: Run, contexts: Contexts) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        upgrading, plain, secret = Upgrading(contexts), Recorder(), Recorder()
        upgrading.upgrade = None
        server = await loop.create_server(lambda: upgrading, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        transport, _protocol = await loop.create_connection(lambda: plain, host, port)
        transport.write(b"not upgraded; ")
        handshake = asyncio.ensure_future(
            loop.start_tls(transport, secret, contexts.client, server_hostname="localhost")
        )
        await until(lambda: len(upgrading.data) > 15)
        # A TLS record of the handshake begins with byte 22.
        assert bytes(upgrading.data[:15]) == b"not upgraded; \x16"
        handshake.cancel()
        with pytest.raises((asyncio.CancelledError, ConnectionError)):
            await handshake
        await until(lambda: upgrading.lost)
        await end(server)

    run(main)


def test_a_tls_transport_of_a_paused_protocol_holds_data(run: Run, contexts: Contexts) -> None:
    async def main() -> None:
        sink, client = Recorder(), Recorder()
        server, port = await serve(contexts, sink)
        transport = await dial(contexts, client, port)
        await until(lambda: sink.transport)
        sink.transport.pause_reading()
        transport.write(b"held")
        for _ in range(20):
            await asyncio.sleep(0)
        assert sink.data == b""
        sink.transport.resume_reading()
        await until(lambda: sink.data == b"held")
        transport.close()
        await until(lambda: client.lost and sink.lost)
        await end(server)

    run(main)


def test_a_tls_connection_is_collected_after_its_end(run: Run, contexts: Contexts) -> None:
    async def main() -> None:
        sink, client = Recorder(), Recorder()
        server, port = await serve(contexts, sink)
        watched = weakref.ref(await dial(contexts, client, port))
        client.transport.close()
        await until(lambda: client.lost and sink.lost)
        client.transport = None  # type: ignore[assignment]  # the test drops the last reference on purpose
        await end(server)
        for _ in range(5):
            await asyncio.sleep(0)
        gc.collect()
        assert watched() is None

    run(main)


def test_streams_talk_tls(run: Run, contexts: Contexts) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=contexts.server)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=contexts.client, server_hostname="localhost"
        )
        writer.write(b"a line\n")
        assert await reader.read() == b"a line\n"
        writer.close()
        await writer.wait_closed()
        await end(server)
        await until(lambda: len(asyncio.all_tasks()) == 1)

    run(main)
