"""Accepting connections.

Lives here: taking connections from a listening socket, making their protocols and transports, waiting when fds run out.
Not here: listening sockets and servers (asyncio's own create_server), TLS connections (asyncio's own accept).

Invariants:
 1. A connection that was accepted is owned by a transport or closed, whatever the protocol factory does.
 2. At most backlog + 1 connections are taken in one event, so that established ones are served in between.
 3. Without fds, accepting pauses for asyncio's ACCEPT_RETRY_DELAY; a server that was closed meanwhile stays closed.
"""

cimport cython
from libc.errno cimport EAGAIN, ECONNABORTED, EINTR, EMFILE, ENFILE, ENOBUFS, ENOMEM
from libc.stdint cimport uint32_t

from clearloop._engine.c.python cimport PyContext_CopyCurrent
from clearloop._engine.c.sys_socket cimport Peer, accept_connection, describe_peer
from clearloop._engine.c.unistd cimport unistd_close
from clearloop._engine.core cimport Core
from clearloop._engine.counters cimport ACCEPTOR, count_freed, count_made
from clearloop._engine.oserror cimport os_error
from clearloop._engine.poller cimport READABLE, event_function

import socket
from asyncio import constants, trsock
from asyncio.log import logger
from functools import partial

cdef enum:
    MOST_BACKLOG = 65536     # connections taken in one event, whatever backlog a server asks for


@cython.final
cdef class Acceptor:
    """Accepts the connections of one listening socket."""

    def __cinit__(self, Core loop not None, protocol_factory, sock, server, backlog, context):
        count_made(ACCEPTOR)
        self.core = loop
        self.protocol_factory = protocol_factory
        self.sock = sock
        self.server = server
        self.most_at_once = min(backlog, MOST_BACKLOG) + 1
        self.context = PyContext_CopyCurrent() if context is None else context
        self.context_was_given = context is not None
        self.fd = sock.fileno()
        # With this flag socket.socket() knows, without a system call, that the fd does not block.
        self.socket_type = sock.type | getattr(socket, "SOCK_NONBLOCK", 0)

    def __dealloc__(self):
        if self.core is not None:
            count_freed(ACCEPTOR)

    def start(self):
        """Accept from now on; the loop owns the acceptor until stop_accepting()."""
        self.core.require_open()
        if self.sock.fileno() >= 0:   # the server may have been closed while accepting was paused
            self.core.poller.own(self.fd, self, <event_function>accept_connections, READABLE)

    cdef int accept_waiting(self) except -1:
        cdef Peer peer
        cdef int connection
        for _ in range(self.most_at_once):
            connection = accept_connection(self.fd, &peer)
            if connection >= 0:
                self.serve(connection, peername(&peer))
            elif connection == -EAGAIN:
                return 0
            elif -connection in (EMFILE, ENFILE, ENOBUFS, ENOMEM):
                return self.back_off(os_error(-connection))
            elif -connection not in (EINTR, ECONNABORTED):
                return self.give_up(os_error(-connection))
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
            context = self.context.copy()
            protocol = context.run(self.protocol_factory)
            extra = {"peername": peername if peername is not None else sock.getpeername()}
            keywords = {"context": context} if self.context_was_given else {}
            transport = context.run(
                partial(self.core._make_socket_transport, sock, protocol, extra=extra, server=self.server, **keywords))
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
        self.core.poller.disown(self.fd)
        self.core.call_later(constants.ACCEPT_RETRY_DELAY, self.start)
        return self.report("socket.accept() out of system resource", error)

    cdef int give_up(self, object error) except -1:
        """An error that would come again at once, such as that of a socket that somebody shut down."""
        self.core.poller.disown(self.fd)
        return self.report("Accepting connections failed; the server accepts no more on this socket", error)

    cdef int report(self, str message, object error) except -1:
        self.core.call_exception_handler(
            {"message": message, "exception": error, "socket": trsock.TransportSocket(self.sock)})
        return 0

    def abort(self):
        """Accept no more."""
        self.core.poller.disown(self.fd)

    def __repr__(self):
        return f"<{type(self).__name__} fd={self.fd} server={self.server!r}>"


cdef int accept_connections(object owner, uint32_t readiness) except -1:
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
