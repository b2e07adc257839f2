"""Accepting connections.

Lives here: taking connections from a listening socket, making their protocols and transports, waiting when fds run out.
Not here: listening sockets and servers (asyncio's own create_server), TLS connections (asyncio's own accept).

Invariants:
 1. A connection that was accepted is owned by a transport or closed, whatever the protocol factory does.
 2. At most backlog + 1 connections are taken in one event, so that established ones are served in between.
 3. Without fds, accepting pauses for asyncio's ACCEPT_RETRY_DELAY; a server that was closed meanwhile stays closed.
"""

cimport cython
from libc.errno cimport ECONNABORTED, EINTR, EMFILE, ENFILE, ENOBUFS, ENOMEM, errno
from libc.stdint cimport uint32_t

from clearloop._engine.c.sys_socket cimport Peer, accept_connection, describe_peer
from clearloop._engine.c.unistd cimport unistd_close
from clearloop._engine.core cimport Core
from clearloop._engine.counters cimport ACCEPTOR, count_freed, count_made
from clearloop._engine.poller cimport READABLE
from clearloop._engine.wire cimport os_error, would_block

import socket
from asyncio import constants, trsock
from asyncio.log import logger


@cython.final
cdef class Acceptor:
    """Accepts the connections of one listening socket."""

    def __cinit__(self, *args):
        count_made(ACCEPTOR)

    def __dealloc__(self):
        count_freed(ACCEPTOR)

    def __init__(self, Core loop not None, protocol_factory, sock, server, int backlog, context):
        self.core = loop
        self.protocol_factory = protocol_factory
        self.sock = sock
        self.server = server
        self.backlog = backlog
        self.context = context
        self.fd = sock.fileno()
        # With this flag socket.socket() knows, without a system call, that the fd does not block.
        self.socket_type = sock.type | getattr(socket, "SOCK_NONBLOCK", 0)

    def start(self):
        """Accept from now on; the loop owns the acceptor until stop_accepting()."""
        self.core.require_open()
        if self.sock.fileno() >= 0:   # the server may have been closed while accepting was paused
            self.core.poller.own(self.fd, self, on_event, READABLE)

    cdef int accept_waiting(self) except -1:
        cdef Peer peer
        cdef int connection
        for _ in range(self.backlog + 1):
            connection = accept_connection(self.fd, &peer)
            if connection >= 0:
                self.serve(connection, peername(&peer))
            elif would_block():
                return 0
            elif errno in (EMFILE, ENFILE, ENOBUFS, ENOMEM):
                return self.back_off(os_error())
            elif errno not in (EINTR, ECONNABORTED):
                return self.give_up(os_error())
            if self.sock.fileno() < 0:
                return 0   # a protocol factory closed the server
        return 0

    cdef int serve(self, int connection, object peername) except -1:
        sock = protocol = transport = None
        try:
            sock = socket.socket(self.sock.family, self.socket_type, self.sock.proto, fileno=connection)
            if not hasattr(socket, "SOCK_NONBLOCK"):
                sock.setblocking(False)
            if self.core.debug:
                logger.debug("%r got a new connection from %r: %r", self.server, peername, sock)
            context = self.context.copy() if self.context is not None else None
            protocol = self.protocol_factory() if context is None else context.run(self.protocol_factory)
            extra = {"peername": peername if peername is not None else sock.getpeername()}
            transport = self.core._make_socket_transport(
                sock, protocol, extra=extra, server=self.server, **({} if context is None else {"context": context}))
        except BaseException as error:
            if sock is None:
                unistd_close(connection)
            elif transport is None:
                sock.close()
            if isinstance(error, (SystemExit, KeyboardInterrupt)):
                raise
            report = {"message": "Error on transport creation for incoming connection", "exception": error}
            if protocol is not None:
                report["protocol"] = protocol
            self.core.call_exception_handler(report)
        return 0

    cdef int back_off(self, object error) except -1:
        self.core.call_exception_handler({
            "message": "socket.accept() out of system resource",
            "exception": error,
            "socket": trsock.TransportSocket(self.sock),
        })
        self.core.poller.disown(self.fd)
        self.core.call_later(constants.ACCEPT_RETRY_DELAY, self.start)
        return 0

    cdef int give_up(self, object error) except -1:
        """An error that would come again at once, such as that of a socket that somebody shut down."""
        self.core.call_exception_handler({
            "message": "Accepting connections failed; the server accepts no more on this socket",
            "exception": error,
            "socket": trsock.TransportSocket(self.sock),
        })
        self.core.poller.disown(self.fd)
        return 0

    def __repr__(self):
        return f"<{type(self).__name__} fd={self.fd} server={self.server!r}>"


cdef int on_event(object owner, uint32_t readiness) except -1:
    return (<Acceptor>owner).accept_waiting()


cdef object peername(Peer* peer):
    """The peer's address as socket.accept() gives it; None for a family whose addresses Python must describe."""
    cdef int version = describe_peer(peer)
    if version == 4:
        return (peer.host.decode("ascii"), peer.port)
    if version == 6:
        return (peer.host.decode("ascii"), peer.port, peer.flow_info, peer.scope_id)
    return None


def stop_accepting(Core loop not None, int fd):
    """Accept no more on a listening socket; nothing when nothing accepts there."""
    loop.poller.disown(fd)
