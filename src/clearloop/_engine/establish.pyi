import contextvars
import socket
from asyncio import AbstractServer, BaseProtocol, Future, Transport
from typing import Any

from clearloop._engine.core import Core

def make_stream_transport(
    loop: Core,
    sock: socket.socket,
    protocol: BaseProtocol,
    waiter: Future[None] | None,
    extra: dict[str, Any] | None,
    server: AbstractServer | None,
    context: contextvars.Context | None,
) -> Transport: ...
