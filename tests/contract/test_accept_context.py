"""A protocol factory and the context variables of the server's maker."""

from __future__ import annotations

import asyncio
import contextvars
import socket
from typing import TYPE_CHECKING

from tests.contract.wire import PATIENCE, Recorder, until

if TYPE_CHECKING:
    from tests.conftest import Run

WORD: contextvars.ContextVar[str] = contextvars.ContextVar("WORD", default="unset")


def test_a_factory_sees_a_copy_of_the_makers_context_that_the_next_connection_does_not_share(run: Run) -> None:
    seen: list[str] = []
    made: list[Recorder] = []

    def factory() -> Recorder:
        seen.append(WORD.get())
        WORD.set(f"connection {len(made)}")
        made.append(Recorder())
        return made[-1]

    async def connected(count: int) -> None:
        await until(lambda: len(made) == count and made[-1].transport)

    async def main() -> None:
        WORD.set("maker")
        server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
        WORD.set("later")
        for count in range(1, 4):
            with socket.create_connection(server.sockets[0].getsockname(), timeout=PATIENCE):
                await connected(count)
        await until(lambda: all(protocol.lost for protocol in made))
        assert seen == ["maker"] * 3
        assert WORD.get() == "later"
        server.close()
        await server.wait_closed()

    run(main)
