"""anyio's asyncio backend with the loop under test as its `loop_factory`."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import anyio.abc
import anyio.from_thread
import anyio.lowlevel
import anyio.to_process
import anyio.to_thread
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.text import TextReceiveStream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


class RunAnyio(Protocol):
    """Run a coroutine function under anyio on the loop under test."""

    def __call__(self, main: Callable[[], Awaitable[Any]]) -> Any: ...


@pytest.fixture
def run_anyio(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> RunAnyio:
    def run(main: Callable[[], Awaitable[Any]]) -> Any:
        reported: list[dict[str, Any]] = []

        async def limited() -> Any:
            loop = asyncio.get_running_loop()
            assert type(loop) is type(wanted)
            loop.set_exception_handler(lambda _loop, context: reported.append(context))
            with anyio.fail_after(15):
                return await main()

        wanted = new_loop()
        wanted.close()
        result = anyio.run(limited, backend="asyncio", backend_options={"loop_factory": new_loop})
        assert reported == []
        return result

    return run


async def shout(stream: anyio.abc.ByteStream) -> None:
    """Answer every line in capitals until the peer has sent all."""
    async with stream:
        async for block in stream:
            await stream.send(block.upper())


async def converse(stream: anyio.abc.ByteStream, number: int) -> None:
    async with stream:
        received = BufferedByteReceiveStream(stream)
        for count in range(20):
            await stream.send(f"line {number} {count}\n".encode())
            assert await received.receive_until(b"\n", 100) == f"LINE {number} {count}".encode()


def test_tcp_clients_and_server(run_anyio: RunAnyio) -> None:
    async def main() -> None:
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            async with anyio.create_task_group() as serving:
                serving.start_soon(listener.serve, shout)
                async with anyio.create_task_group() as clients:
                    for number in range(30):
                        clients.start_soon(converse, await anyio.connect_tcp("127.0.0.1", port), number)
                serving.cancel_scope.cancel()

    run_anyio(main)


def test_unix_socket(run_anyio: RunAnyio, tmp_path: Path) -> None:
    path = tmp_path / "anyio.sock"

    async def main() -> None:
        ended = anyio.Event()

        async def shout_once(stream: anyio.abc.ByteStream) -> None:
            await shout(stream)
            ended.set()

        listener = await anyio.create_unix_listener(path)
        async with listener, anyio.create_task_group() as serving:
            serving.start_soon(listener.serve, shout_once)
            await converse(await anyio.connect_unix(path), 1)
            # anyio's add_reader callback may set a Future that anyio has cancelled in the same turn, which
            # the loop reports: cancel only when no stream is about to become readable.
            await ended.wait()
            serving.cancel_scope.cancel()

    run_anyio(main)


def test_udp(run_anyio: RunAnyio) -> None:
    async def main() -> None:
        async with (
            await anyio.create_udp_socket(local_host="127.0.0.1") as server,
            await anyio.create_connected_udp_socket(
                "127.0.0.1", server.extra(anyio.abc.SocketAttribute.local_port)
            ) as client,
        ):
            await client.send(b"ping")
            packet, address = await server.receive()
            await server.sendto(packet + b" pong", *address[:2])
            assert await client.receive() == b"ping pong"

    run_anyio(main)


def test_deadlines_cancel_what_waits(run_anyio: RunAnyio) -> None:
    async def main() -> None:
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                with anyio.move_on_after(0.02) as scope:
                    await stream.receive()
                assert scope.cancelled_caught
                with pytest.raises(TimeoutError), anyio.fail_after(0.02):
                    await anyio.sleep_forever()

    run_anyio(main)


def test_threads_call_in_and_out(run_anyio: RunAnyio) -> None:
    def in_thread(number: int) -> int:
        result: int = anyio.from_thread.run(double, number)
        return result + 1

    async def double(number: int) -> int:
        await anyio.lowlevel.checkpoint()
        return 2 * number

    async def main() -> None:
        assert await anyio.to_thread.run_sync(in_thread, 20) == 41

    run_anyio(main)


def test_worker_process(run_anyio: RunAnyio) -> None:
    async def main() -> int:
        return await anyio.to_process.run_sync(pow, 3, 5)

    assert run_anyio(main) == 243


def test_child_process_with_pipes(run_anyio: RunAnyio) -> None:
    program = "import sys; [print(line.strip().upper(), flush=True) for line in sys.stdin]"

    async def main() -> None:
        async with await anyio.open_process([sys.executable, "-c", program]) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for word in (b"one\n", b"two\n"):
                await process.stdin.send(word)
            await process.stdin.aclose()
            text = "".join([part async for part in TextReceiveStream(process.stdout)])
            assert (await process.wait(), text) == (0, "ONE\nTWO\n")
        done = await anyio.run_process([sys.executable, "-c", "print(6 * 7)"])
        assert done.stdout == b"42\n"

    run_anyio(main)
