"""clearloop.EventLoop: asyncio's selector loop with its heart replaced.

Lives here: what runs per loop or per connection and differs from asyncio. Everything that is not overridden, here or in
the native LoopCore, is the standard library's own code of the running Python.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import sys
from asyncio import base_events, constants, sslproto
from types import MethodType
from typing import TYPE_CHECKING, Any

from clearloop._engine.acceptor import Acceptor, stop_accepting
from clearloop._engine.establish import make_stream_transport
from clearloop._engine.fallback import SelectorsPoller
from clearloop._engine.turn import LoopCore
from clearloop.loop.compat import RunForeverSteps
from clearloop.loop.selector_face import SelectorFace

if sys.platform == "linux":
    from clearloop._engine.epoll import EpollPoller

if TYPE_CHECKING:
    import contextvars
    import socket
    import ssl
    from collections.abc import Callable

    from clearloop.facts import LoopStatistics

__all__ = ["EventLoop"]


class EventLoop(LoopCore, RunForeverSteps, asyncio.SelectorEventLoop):  # type: ignore[misc]  # the stubs give create_task keywords by version
    """A native event loop with asyncio's whole API; ``statistics()`` tells how it spends its time.

    Args:
        selector: a ``selectors.BaseSelector`` to poll with, which the loop closes in the end. None takes the best
            poller of the platform: epoll on Linux, ``selectors.DefaultSelector`` elsewhere or when the environment
            variable CLEARLOOP_POLLER is ``selectors``.

    """

    _selector: selectors.BaseSelector

    if TYPE_CHECKING:

        def _ensure_fd_no_transport(self, fd: int | socket.socket) -> None: ...

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        if selector is None and (sys.platform != "linux" or os.environ.get("CLEARLOOP_POLLER") == "selectors"):
            selector = selectors.DefaultSelector()
        self._use_poller(EpollPoller() if selector is None else SelectorsPoller(selector))
        if type(self).time is not LoopCore.time:
            # A subclass with a clock of its own (virtual time): the native code must ask it too.
            self._use_clock(MethodType(type(self).time, self))
        super().__init__(SelectorFace(self) if selector is None else selector)

    def statistics(self) -> LoopStatistics:
        """Return how many turns and steps the loop made, how long they took and waited, and how busy it was."""
        return super().statistics()

    def close(self) -> None:
        """Close the loop; it must not be running. What is scheduled is dropped, open transports are left to warn."""
        if self.is_closed() or self.is_running():
            super().close()  # nothing to do, or RuntimeError
            return
        self._selector = SelectorFace(self)  # closed by the standard library; the poller closes the one it polls
        try:
            super().close()
        finally:
            self._close_poller()

    def _log_slow_step(self, subject: Any, duration_s: float) -> None:
        # In asyncio's words and by its logger, which tools filter by. A transport has no handle: it tells its own name.
        is_handle = isinstance(subject, asyncio.Handle)
        described = base_events._format_handle(subject) if is_handle else repr(subject)  # type: ignore[attr-defined]  # private
        base_events.logger.warning("Executing %s took %.3f seconds", described, duration_s)  # type: ignore[attr-defined]  # not in its __all__

    def _sock_accept(self, fut: asyncio.Future[Any], sock: socket.socket) -> None:
        # Cancelled between the poll and this callback: leave the connection to the next call (cpython#153761).
        if not fut.done():
            super()._sock_accept(fut, sock)  # type: ignore[misc]  # private; compat.drifted() looks at it

    # -- connections: the standard library prepares the sockets, the native transports serve them

    def _make_socket_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        *,
        extra: dict[str, Any] | None = None,
        server: asyncio.AbstractServer | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Transport:
        self._ensure_fd_no_transport(sock)
        return make_stream_transport(self, sock, protocol, waiter, extra, server, context)

    def _make_ssl_transport(
        self,
        rawsock: socket.socket,
        protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext | None,
        waiter: asyncio.Future[None] | None = None,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        extra: dict[str, Any] | None = None,
        server: asyncio.AbstractServer | None = None,
        ssl_handshake_timeout: float | None = constants.SSL_HANDSHAKE_TIMEOUT,
        ssl_shutdown_timeout: float | None = constants.SSL_SHUTDOWN_TIMEOUT,
        context: contextvars.Context | None = None,
    ) -> asyncio.Transport:
        self._ensure_fd_no_transport(rawsock)
        ssl_protocol = sslproto.SSLProtocol(
            self,
            protocol,
            sslcontext,  # type: ignore[arg-type]  # the stubs are narrower than the code
            waiter,  # type: ignore[arg-type]  # as above
            server_side,
            server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,  # type: ignore[arg-type]  # as above
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )
        make_stream_transport(self, rawsock, ssl_protocol, None, extra, server, context)
        return ssl_protocol._app_transport

    def _start_serving(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        sock: socket.socket,
        sslcontext: ssl.SSLContext | None = None,
        server: asyncio.AbstractServer | None = None,
        backlog: int = 100,
        ssl_handshake_timeout: float | None = constants.SSL_HANDSHAKE_TIMEOUT,
        ssl_shutdown_timeout: float | None = constants.SSL_SHUTDOWN_TIMEOUT,
        context: contextvars.Context | None = None,
    ) -> None:
        if sslcontext is None:
            Acceptor(self, protocol_factory, sock, server, backlog, context).start()
            return
        super()._start_serving(  # type: ignore[misc]  # private; compat.drifted() looks at it
            protocol_factory,
            sock,
            sslcontext,
            server,
            backlog,
            ssl_handshake_timeout,
            ssl_shutdown_timeout,
            **({} if context is None else {"context": context}),
        )

    def _stop_serving(self, sock: socket.socket) -> None:
        stop_accepting(self, sock.fileno())
        super()._stop_serving(sock)  # type: ignore[misc]  # private; compat.drifted() looks at it


def settle_running_loop() -> None:
    """Send what the running step wrote before a child process gets a copy of it and sends it too."""
    loop = asyncio._get_running_loop()
    if isinstance(loop, LoopCore):
        loop._settle()


os.register_at_fork(before=settle_running_loop)
