"""TLS against the ssl module's blocking socket in a thread: order, endings, limits (trap 21)."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from tests.contract.test_tls import Contexts, contexts
from tests.contract.wire import PATIENCE, Recorder, attach, received, unix_pair, until

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from tests.conftest import Run

__all__ = ["contexts"]  # the fixture, shared with the other TLS tests


class Foreign:
    """A TLS server on a raw socket, which talks in a thread; `said` has what it got, `error` why it failed."""

    def __init__(self, contexts: Contexts, peer: socket.socket, talk: Callable[[ssl.SSLSocket, Foreign], None]) -> None:
        self.said: list[bytes] = []
        self.error: BaseException | None = None
        self.go_on = threading.Event()
        self.thread = threading.Thread(target=self.serve, args=(contexts, peer, talk), daemon=True)
        self.thread.start()

    def serve(self, contexts: Contexts, peer: socket.socket, talk: Callable[[ssl.SSLSocket, Foreign], None]) -> None:
        try:
            with contexts.server.wrap_socket(peer, server_side=True, suppress_ragged_eofs=False) as secret:
                talk(secret, self)
        except BaseException as error:
            self.error = error

    async def end(self) -> None:
        self.go_on.set()
        await until(lambda: not self.thread.is_alive())
        self.thread.join(PATIENCE)


async def dial(
    contexts: Contexts, protocol: Recorder, ours: socket.socket, *, ssl_shutdown_timeout: float | None = None
) -> asyncio.Transport:
    transport, _protocol = await asyncio.get_running_loop().create_connection(
        lambda: protocol,
        sock=ours,
        ssl=contexts.client,
        server_hostname="localhost",
        ssl_shutdown_timeout=ssl_shutdown_timeout,
    )
    return transport


def test_a_peer_that_never_answers_close_ends_it_by_the_shutdown_limit(run: Run, contexts: Contexts) -> None:
    def talk(_secret: ssl.SSLSocket, foreign: Foreign) -> None:
        assert foreign.go_on.wait(PATIENCE)

    async def main() -> None:
        ours, peer = unix_pair()
        foreign = Foreign(contexts, peer, talk)
        protocol = Recorder()
        transport = await dial(contexts, protocol, ours, ssl_shutdown_timeout=0.02)
        transport.close()
        assert protocol.lost == []
        await until(lambda: protocol.lost)
        (error,) = protocol.lost
        assert isinstance(error, TimeoutError)
        assert str(error) == "SSL shutdown timed out"
        await until(lambda: ours.fileno() == -1)
        await foreign.end()
        assert foreign.error is None

    run(main)


def test_close_sends_its_last_bytes_and_then_close_notify(run: Run, contexts: Contexts) -> None:
    def talk(secret: ssl.SSLSocket, foreign: Foreign) -> None:
        while data := secret.recv(1000):  # an end without close_notify would raise here
            foreign.said.append(data)
        secret.unwrap()

    async def main() -> None:
        ours, peer = unix_pair()
        foreign = Foreign(contexts, peer, talk)
        protocol = Recorder()
        transport = await dial(contexts, protocol, ours)
        transport.write(b"last ")
        transport.write(b"words")
        transport.close()
        transport.write(b"; too late")
        await until(lambda: protocol.lost)
        await foreign.end()
        assert b"".join(foreign.said) == b"last words"
        assert (protocol.lost, foreign.error) == ([None], None)

    run(main)


def test_close_notify_comes_after_the_data_before_it_and_is_answered(run: Run, contexts: Contexts) -> None:
    def talk(secret: ssl.SSLSocket, _foreign: Foreign) -> None:
        secret.sendall(b"x" * 100_000)
        secret.unwrap()  # returns when the other side's close_notify is there

    async def main() -> None:
        ours, peer = unix_pair()
        foreign = Foreign(contexts, peer, talk)
        protocol = Recorder()
        await dial(contexts, protocol, ours)
        await until(lambda: protocol.lost)
        await foreign.end()
        assert len(protocol.data) == 100_000
        assert [call for call in protocol.calls if call != "data_received"] == [
            "connection_made",
            "eof_received",
            "connection_lost",
        ]
        assert (protocol.lost, foreign.error) == ([None], None)

    run(main)


def test_writes_from_data_received_and_resume_writing_inside_a_flush_keep_their_order(
    run: Run, contexts: Contexts
) -> None:
    lines = 400

    class Answering(Recorder):
        """Answer each line by the next number; a resume_writing() inside the flush writes a line of its own."""

        def __init__(self) -> None:
            super().__init__()
            self.answered = 0
            self.sent: list[bytes] = []

        def say(self, line: bytes) -> None:
            self.sent.append(line)
            self.transport.write(line)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            while self.data.count(b"\n") > self.answered:
                self.answered += 1
                self.say(b"answer %d %s\n" % (self.answered, b"." * 3000))

        def resume_writing(self) -> None:
            super().resume_writing()
            self.say(b"resumed\n")

    def talk(secret: ssl.SSLSocket, foreign: Foreign) -> None:
        secret.sendall(b"".join(b"line %d\n" % number for number in range(lines)))
        assert foreign.go_on.wait(PATIENCE)
        got = b""
        while not got.endswith(b"end\n"):
            piece = secret.recv(100_000)
            assert piece
            got += piece
        foreign.said.append(got)

    async def main() -> None:
        ours, peer = unix_pair()
        foreign, protocol = Foreign(contexts, peer, talk), Answering()
        transport = await dial(contexts, protocol, ours)
        transport.set_write_buffer_limits(high=5000)
        await until(lambda: protocol.answered == lines)
        foreign.go_on.set()
        await until(lambda: transport.get_write_buffer_size() == 0)
        protocol.say(b"end\n")
        await foreign.end()
        assert foreign.error is None
        assert foreign.said == [b"".join(protocol.sent)]
        assert "resume_writing" in protocol.calls
        await until(lambda: protocol.lost)

    run(main)


def test_a_handshake_that_is_there_before_start_tls_is_not_lost(run: Run, contexts: Contexts) -> None:
    """The client begins its handshake without waiting for an answer, while the server is paused."""

    class Pausing(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.transport.pause_reading()

    def talk(peer: socket.socket, answers: list[bytes]) -> None:
        with contexts.client.wrap_socket(peer, server_hostname="localhost") as secret:
            secret.sendall(b"question")
            answers.append(secret.recv(100))
            secret.unwrap()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, peer = unix_pair()
        plain, secret, answers = Pausing(), Recorder(), list[bytes]()
        transport = await attach(plain, ours)
        peer.sendall(b"STARTTLS")
        await received(plain, 8)
        thread = threading.Thread(target=talk, args=(peer, answers), daemon=True)
        thread.start()
        for _ in range(50):
            await asyncio.sleep(0)
        upgraded = await loop.start_tls(transport, secret, contexts.server, server_side=True)
        assert upgraded is not None
        await until(lambda: secret.data == b"question")
        upgraded.write(b"answer")
        await until(lambda: secret.lost)
        thread.join(PATIENCE)
        assert plain.data == b"STARTTLS"
        assert answers == [b"answer"]
        assert secret.lost == [None]

    run(main)
