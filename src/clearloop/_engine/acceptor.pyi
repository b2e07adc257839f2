import contextvars
import socket
from asyncio import AbstractServer, BaseProtocol
from collections.abc import Callable
from typing import Self, final

from clearloop._engine.core import Core

@final
class Acceptor:
    """Accepts the connections of one listening socket."""

    def __new__(
        cls,
        loop: Core,
        protocol_factory: Callable[[], BaseProtocol],
        sock: socket.socket,
        server: AbstractServer | None,
        backlog: int,
        context: contextvars.Context | None,
    ) -> Self: ...
    def start(self) -> None: ...
    def abort(self) -> None: ...

def stop_accepting(loop: Core, fd: int) -> None: ...
