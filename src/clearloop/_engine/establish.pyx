"""Making a transport for a connected socket, as asyncio's transports are made.

Lives here: what happens once for each connection, before connection_made(). Not here: all that comes after (transport).
"""

from clearloop._engine.c.python cimport PyContext_CopyCurrent
from clearloop._engine.core cimport Core
from clearloop._engine.transport cimport StreamTransport, attach, new_transport
from clearloop._engine.wire cimport WriteQueue

import socket
from asyncio import futures, trsock


def make_stream_transport(Core loop not None, sock, protocol, waiter, extra, server, context):
    """Return a transport that serves protocol on a connected, non-blocking stream socket; it owns the socket from now on.

    connection_made() is scheduled, then reading starts, then waiter (a future or None) gets its result.
    """
    cdef StreamTransport transport = new_transport()
    transport.sock = sock
    transport.core = transport.loop = loop
    transport.fd = sock.fileno()
    transport.queue = WriteQueue()
    transport.extra = describe_socket(sock, {} if extra is None else extra)
    transport.protocol_paused = False
    transport.set_protocol(protocol)
    transport.set_write_buffer_limits()
    transport.start_context = context
    transport.context = PyContext_CopyCurrent() if context is None else context
    transport.server = server
    if server is not None:
        attach(server, transport)
    loop._transports[transport.fd] = transport
    # Also where the protocol number was left at 0 (TCP too), which asyncio's own check passes over.
    if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.proto in (0, socket.IPPROTO_TCP):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    loop.call_soon(protocol.connection_made, transport, context=context)
    loop.call_soon(transport._begin_reading, context=context)
    if waiter is not None:
        loop.call_soon(futures._set_result_unless_cancelled, waiter, None, context=context)
    return transport


cdef object describe_socket(object sock, dict extra):
    extra["socket"] = trsock.TransportSocket(sock)
    try:
        extra["sockname"] = sock.getsockname()
    except OSError:
        extra["sockname"] = None
    if "peername" not in extra:
        try:
            extra["peername"] = sock.getpeername()
        except OSError:
            extra["peername"] = None
    return extra
