"""The native stream transport: a connected TCP or Unix socket on a loop.

Lives here: what happens to a connection between connection_made() and connection_lost(), as asyncio's transports
promise. Not here: making one (establish), bytes and system calls (wire), which fds are watched (poller), TLS.

Invariants:
 1. connection_lost() is called exactly once, always by a scheduled callback, after which the socket is closed.
 2. Bytes leave in the order of the writes. What is corked leaves at the end of its step, or before anything that
    could lose or reorder it: close, write_eof, a full buffer, a look at the buffer's size, the loop's stop.
 3. The loop owns the transport while the kernel watches its fd; a paused, idle transport belongs to its users.
 4. Nothing is read while read_side is not READING; events collected before that find it so and do nothing.
 5. Data that somebody else could change is copied when it is written.

Costs: a read is one recv() and one exact-size bytes object, received in place after a read of 32 KiB or more; a step's
writes are one send(), or a sendmsg() for each 64.
"""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromObject, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.ref cimport PyObject, Py_DECREF, Py_XDECREF
from libc.errno cimport errno
from libc.stdint cimport SIZE_MAX, uint32_t

from clearloop._engine.c.flow_control cimport FlowControl, _FlowControlMixin, fill_base, install_slots
from clearloop._engine.c.python cimport (
    PyErr_GetRaisedException, PyErr_WriteUnraisable, Py_None, call_one_arg, call_vector,
    enter_context, leave_context, new_bytes, resize_bytes, try_get_buffer)
from clearloop._engine.c.sys_socket cimport SHUT_WR, shutdown
from clearloop._engine.core cimport READ_BUFFER_SIZE, settle_function
from clearloop._engine.counters cimport TRANSPORT, count_freed, count_made
from clearloop._engine.oserror cimport os_error
from clearloop._engine.poller cimport FAILED, HUNG_UP, READABLE, WRITABLE, event_function
from clearloop._engine.wire cimport BLOCKED, SENT, receive, transmit, would_block

import warnings
from asyncio import constants, protocols, selector_events, transports
from asyncio.log import logger
from functools import partial
from inspect import signature

cdef enum:
    LARGE_READ = 32768       # a read as large as this one makes the next be received in place
    FRESH_SIZE = 65536       # of the bytes object that is received into; below malloc's threshold for mmap
    CORK_SIZE = 65536        # what is queued beyond this leaves at once

# C variables, not module globals, because a finalizer may run when the interpreter has cleared the module.
cdef object warn = warnings.warn
cdef tuple SOURCE_KEYWORD = ("source",)
cdef object ANY_SIZE = -1
cdef object BufferedProtocol = protocols.BufferedProtocol
cdef object stock_transport = selector_events._SelectorSocketTransport
# Until 3.11 writelines() was a join and a write, with a join's errors.
cdef bint stock_has_writelines = "writelines" in vars(stock_transport)
# Server._attach() and _detach() take the transport from 3.12 on.
cdef bint server_knows_transports = len(signature(selector_events.base_events.Server._attach).parameters) == 2


@cython.final
cdef class StreamTransport(_FlowControlMixin):
    """A connected stream socket; asyncio.Transport's contract."""

    _start_tls_compatible = True
    _sendfile_compatible = constants._SendfileMode.TRY_NATIVE

    cdef int update_interest(self) except -1:
        cdef uint32_t interest = WRITABLE if self.waits_writable else 0
        if self.read_side == READING and self.life == OPEN:
            interest |= READABLE
        if interest == 0:
            return self.core.poller.disown(self.fd)
        self.core.require_open()
        return self.core.poller.own(self.fd, self, <event_function>serve_transport, interest)

    cdef int serve(self, uint32_t readiness) except -1:
        """Serve an event inside the transport's context, in which protocol methods run and callbacks are scheduled."""
        enter_context(<PyObject*>self.context)
        self.is_served = True
        try:
            if self.read_side == READING and self.life == OPEN and readiness & (READABLE | FAILED | HUNG_UP):
                self.read_ready()
            if self.waits_writable and readiness & (WRITABLE | FAILED | HUNG_UP):
                self.write_ready()
            if self.is_corked:
                self.is_corked = False
                self.flush()
        finally:
            self.is_served = False
            leave_context(<PyObject*>self.context)
            if self.is_corked:   # KeyboardInterrupt or SystemExit is on its way out
                self.core.settle_after_step(self, <settle_function>settle_transport)
        return 0

    # -- reading

    cdef int read_ready(self) except -1:
        if self.is_buffered:
            return self.read_into_protocol()
        if self.last_read >= LARGE_READ:
            return self.read_fresh()
        return self.read_shared()

    cdef int read_shared(self) except -1:
        cdef ssize_t received = receive(self.fd, self.core.read_buffer, READ_BUFFER_SIZE)
        if received <= 0:
            return self.end_read(received)
        self.last_read = received
        return self.deliver(PyBytes_FromStringAndSize(self.core.read_buffer, received))

    cdef int read_fresh(self) except -1:
        cdef PyObject* data = new_bytes(NULL, FRESH_SIZE)
        cdef ssize_t received
        if data == NULL:
            raise MemoryError
        received = receive(self.fd, PyBytes_AS_STRING(<object>data), FRESH_SIZE)
        if received <= 0:
            Py_DECREF(<object>data)
            return self.end_read(received)
        self.last_read = received
        if received < FRESH_SIZE:
            resize_bytes(&data, received)
        result = <object>data
        Py_DECREF(result)
        return self.deliver(result)

    cdef inline int deliver(self, object data) except -1:
        cdef object data_received = self.data_received
        cdef PyObject* result
        result = call_one_arg(data_received, data)
        if result == NULL:
            return self.fail_by_protocol("Fatal error: protocol.data_received() call failed.")
        Py_DECREF(<object>result)
        return 0

    cdef int read_into_protocol(self) except -1:
        cdef object get_buffer = self.get_buffer
        cdef object buffer_updated = self.buffer_updated
        cdef Py_buffer view
        cdef ssize_t received
        cdef PyObject* result = call_one_arg(get_buffer, ANY_SIZE)
        if result == NULL or try_get_buffer(result, &view, PyBUF_WRITABLE) < 0:
            Py_XDECREF(result)
            return self.fail_by_protocol("Fatal error: protocol.get_buffer() call failed.")
        Py_DECREF(<object>result)   # the view keeps the buffer
        if view.len == 0:
            PyBuffer_Release(&view)
            return self.fail(RuntimeError("get_buffer() returned an empty buffer"),
                             "Fatal error: protocol.get_buffer() call failed.")
        received = receive(self.fd, <char*>view.buf, <size_t>view.len)
        PyBuffer_Release(&view)
        if received <= 0:
            return self.end_read(received)
        result = call_one_arg(buffer_updated, received)
        if result == NULL:
            return self.fail_by_protocol("Fatal error: protocol.buffer_updated() call failed.")
        Py_DECREF(<object>result)
        return 0

    cdef int end_read(self, ssize_t received) except -1:
        """A read that brought nothing: the end of file (0), or a negated error number."""
        if would_block(received):
            return 0
        if received < 0:
            return self.fail(os_error(-received), "Fatal read error on socket transport")
        if self.core.debug:
            logger.debug("%r received EOF", self)
        try:
            keep_open = self.protocol.eof_received()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            return self.fail(error, "Fatal error: protocol.eof_received() call failed.")
        if not keep_open:
            self.close()
        elif self.life == OPEN:
            self.read_side = ENDED
            self.update_interest()
        return 0

    def _begin_reading(self):
        if self.read_side == STARTING:
            self.read_side = READING
            self.update_interest()

    def is_reading(self):
        """Tell whether the transport receives data."""
        return self.life == OPEN and self.read_side != PAUSED

    def pause_reading(self):
        """Stop receiving until resume_reading(); nothing when the transport is paused or closing."""
        if not self.is_reading():
            return
        if self.read_side != ENDED:
            self.read_side = PAUSED
        self.update_interest()
        if self.core.debug:
            logger.debug("%r pauses reading", self)

    def resume_reading(self):
        """Receive again after pause_reading()."""
        if self.life != OPEN or self.read_side != PAUSED:
            return
        self.read_side = READING
        self.update_interest()
        if self.core.debug:
            logger.debug("%r resumes reading", self)

    # -- writing

    def write(self, data, /):
        """Send bytes-like data in the background; data that can change is copied."""
        self.write_data(data)

    def writelines(self, list_of_data, /):
        """Send an iterable of bytes-like objects in the background, together if they fit."""
        if self.write_side != WRITABLE_SIDE:
            raise RuntimeError("Cannot call writelines() after write_eof()")
        if self.empty_waiter is not None:
            raise RuntimeError("unable to writelines; sendfile is in progress")
        if not stock_has_writelines:
            self.write_data(b"".join(list_of_data))
            return
        # All are looked at before the first is written, so that an error writes nothing.
        for data in [item if PyBytes_CheckExact(item) else bytes(memoryview(item)) for item in list_of_data]:
            self.write_data(data)

    cdef int write_data(self, object data) except -1:
        cdef bint is_bytes = PyBytes_CheckExact(data)
        if not is_bytes and not isinstance(data, (bytes, bytearray, memoryview)):
            stock_transport.write(self, data)   # raises its TypeError, in the words of the running Python
        if self.write_side != WRITABLE_SIDE:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self.empty_waiter is not None:
            raise RuntimeError("unable to write; sendfile is in progress")
        return self.write_bytes(<bytes>data) if is_bytes else self.write_bytes(PyBytes_FromObject(data))

    cdef int write_bytes(self, bytes data) except -1:
        if PyBytes_GET_SIZE(data) == 0:
            return 0
        if self.life >= LOST:
            return self.count_lost_write()
        if self.queue.count == 0 and PyBytes_GET_SIZE(data) >= CORK_SIZE:
            return self.write_at_once(data)
        self.queue.append(data, 0)
        if self.waits_writable:
            return self.pause_protocol_if_full()
        if self.queue.size > self.most_corked or not self.core.in_step:
            return self.flush()
        if not self.is_corked:
            self.is_corked = True
            if not self.is_served:
                self.core.settle_after_step(self, <settle_function>settle_transport)
        return 0

    cdef int write_at_once(self, bytes data) except -1:
        cdef ssize_t sent = transmit(self.fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        if sent == PyBytes_GET_SIZE(data):
            return 0
        if sent < 0 and not would_block(sent):
            return self.after_sending(<int>sent)
        self.queue.append(data, max(sent, 0))
        return self.wait_until_writable()

    cdef int count_lost_write(self) except -1:
        if self.lost_writes >= constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES:
            logger.warning("socket.send() raised exception.")
        self.lost_writes += 1
        return 0

    cdef int settle(self) except -1:
        """Send what is corked; the transport's context is entered only for more than that."""
        cdef int result
        self.is_corked = False
        if self.queue.count == 0 or self.waits_writable or self.life >= LOST:
            return 0
        result = self.queue.send_to(self.fd)
        if result == SENT and nothing_waits_for_empty(self):
            return 0
        enter_context(<PyObject*>self.context)
        try:
            self.after_sending(result)
        finally:
            leave_context(<PyObject*>self.context)
        return 0

    cdef int flush(self) except -1:
        """Send what is queued, unless the kernel has refused more already."""
        if self.queue.count == 0 or self.waits_writable or self.life >= LOST:
            return 0
        cdef int result = self.queue.send_to(self.fd)
        return 0 if result == SENT and nothing_waits_for_empty(self) else self.after_sending(result)

    cdef int after_sending(self, int result) except -1:
        if result == SENT:
            return self.after_emptied()
        if result == BLOCKED:
            return self.wait_until_writable()
        return self.fail(os_error(-result), "Fatal write error on socket transport")

    cdef int wait_until_writable(self) except -1:
        self.waits_writable = True
        self.update_interest()
        return self.pause_protocol_if_full()

    cdef int write_ready(self) except -1:
        cdef int result = self.queue.send_to(self.fd)
        if result < 0:
            return self.after_sending(result)
        self._maybe_resume_protocol()   # may write more
        if self.queue.count == 0 and self.life < LOST:
            self.waits_writable = False
            self.update_interest()
            self.after_emptied()
        return 0

    cdef int after_emptied(self) except -1:
        if self.empty_waiter is not None and not self.empty_waiter.done():
            self.empty_waiter.set_result(None)
        if self.life == CLOSING:
            self.schedule_lost(None)
        elif self.write_side == FINISHING:
            try:
                self.send_end_of_file()
            except OSError as error:
                return self.fail(error, "Fatal write error on socket transport")
        return 0

    def write_eof(self):
        """Send the end of file after what was written; reading goes on."""
        if self.life != OPEN or self.write_side != WRITABLE_SIDE:
            return
        self.write_side = FINISHING
        if self.queue.count == 0:
            self.send_end_of_file()
        else:
            self.flush()

    cdef int send_end_of_file(self) except -1:
        self.write_side = FINISHED
        if shutdown(self.fd, SHUT_WR) < 0:
            raise os_error(errno)
        return 0

    def can_write_eof(self):
        """Return True: a stream socket can be closed for writing alone."""
        return True

    def get_write_buffer_size(self):
        """Return how many bytes the kernel has not taken yet; what is corked is sent first."""
        self.flush()
        return self.queue.size

    def set_write_buffer_limits(self, high=None, low=None):
        """Set the bounds in bytes at which the protocol is told to pause and to resume writing."""
        self._set_write_buffer_limits(high=high, low=low)
        self.high = <size_t>min(self.high_water, <object>(SIZE_MAX >> 1))
        self.most_corked = min(self.high, CORK_SIZE)
        self._maybe_pause_protocol()

    cdef int pause_protocol_if_full(self) except -1:
        if self.queue.size > self.high and self.protocol_paused is False:
            self._maybe_pause_protocol()
        return 0

    def _make_empty_waiter(self):
        if self.empty_waiter is not None:
            raise RuntimeError("Empty waiter is already set")
        self.flush()
        self.empty_waiter = self.core.create_future()
        if self.queue.count == 0:
            self.empty_waiter.set_result(None)
        return self.empty_waiter

    def _reset_empty_waiter(self):
        self.empty_waiter = None

    # -- the end

    def close(self):
        """Close after what was written is sent; no more data is received."""
        if self.life != OPEN:
            return
        self.life = CLOSING
        if self.queue.count == 0:
            self.schedule_lost(None)
            return
        self.update_interest()
        self.flush()

    def abort(self):
        """Close at once; what was not sent is lost."""
        self._force_close(None)

    def _force_close(self, error):
        if self.life >= LOST:
            return
        if self.is_corked:
            # On asyncio these bytes would have left when they were written; one try, whatever becomes of it.
            self.queue.send_to(self.fd)
        self.queue.clear()
        self.schedule_lost(error)

    cdef int schedule_lost(self, object error) except -1:
        self.life = LOST
        self.waits_writable = False
        self.lost_writes = 1
        self.core.poller.disown(self.fd)
        self.core.call_soon(self._call_connection_lost, error, context=self.start_context)
        return 0

    cdef int fail(self, object error, str message) except -1:
        if not isinstance(error, OSError):
            self.core.call_exception_handler({
                "message": message,
                "exception": error,
                "transport": self,
                "protocol": self.protocol,
            })
        elif self.core.debug:
            logger.debug("%r: %s", self, message, exc_info=error)
        waiter = self.empty_waiter
        self._force_close(error)
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        return 0

    cdef int fail_by_protocol(self, str message) except -1:
        cdef object error = PyErr_GetRaisedException()
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise error
        return self.fail(error, message)

    def _fatal_error(self, exc, message="Fatal error on transport"):
        self.fail(exc, message)

    def _call_connection_lost(self, error):
        sock, protocol, server, waiter = self.sock, self.protocol, self.server, self.empty_waiter
        try:
            protocol.connection_lost(error)
        finally:
            self.life = CLOSED
            self.sock = self.protocol = self.server = self.loop = None
            self.data_received = self.get_buffer = self.buffer_updated = None
            sock.close()
            if server is not None:
                detach(server, self)
            if waiter is not None and not waiter.done():
                waiter.set_exception(ConnectionError("Connection is closed by peer"))

    def __del__(self):
        sock, self.sock = self.sock, None
        if sock is None:
            return
        warn_unclosed(self)
        sock.close()
        if self.server is not None:
            detach(self.server, self)

    # -- what the transport tells about itself

    def set_protocol(self, protocol):
        """Serve another protocol from now on."""
        self.protocol = protocol
        self.is_buffered = isinstance(protocol, BufferedProtocol)
        self.data_received = method_of(protocol, "data_received")
        self.get_buffer = method_of(protocol, "get_buffer")
        self.buffer_updated = method_of(protocol, "buffer_updated")

    def get_protocol(self):
        """Return the protocol that the transport serves."""
        return self.protocol

    def is_closing(self):
        """Tell whether the transport is closing or closed."""
        return self.life != OPEN

    def __repr__(self):
        if self.life == CLOSED:
            return f"<{type(self).__name__} closed fd={self.fd}>"
        state = "" if self.life == OPEN else " closing"
        read = "polling" if self.read_side == READING and self.life == OPEN else "idle"
        write = "polling" if self.waits_writable else "idle"
        return (f"<{type(self).__name__}{state} fd={self.fd} read={read}"
                f" write=<{write}, bufsize={self.queue.size}>>")

    @property
    def _sock(self):
        return self.sock

    @property
    def _sock_fd(self):
        return self.fd

    @property
    def _protocol(self):
        return self.protocol

    @property
    def _server(self):
        return self.server

    @property
    def _closing(self):
        return self.life != OPEN

    @property
    def _conn_lost(self):
        return self.lost_writes

    @property
    def _paused(self):
        return self.read_side == PAUSED

    @property
    def _eof(self):
        return self.write_side != WRITABLE_SIDE

    @property
    def _empty_waiter(self):
        return self.empty_waiter


cdef inline bint nothing_waits_for_empty(StreamTransport self) noexcept:
    """Whether an emptied queue is the end of it: no close, no end of file, no sendfile stands behind it."""
    return self.life == OPEN and self.write_side == WRITABLE_SIDE and self.empty_waiter is None


cdef int serve_transport(object owner, uint32_t readiness) except -1:
    return (<StreamTransport>owner).serve(readiness)


cdef int settle_transport(object owner) except -1:
    return (<StreamTransport>owner).settle()


cdef object method_of(object protocol, str name):
    # A method that the protocol lacks fails when it is called, as on asyncio, not when it is looked up.
    return getattr(protocol, name, None) or partial(call_late, protocol, name)


def call_late(protocol, name, *arguments):
    """Look a method up when it is called."""
    return getattr(protocol, name)(*arguments)


cdef int warn_unclosed(object transport) except -1:
    """Warn; a warning that is made an error is unraisable here, and the socket is still closed."""
    cdef PyObject* arguments[3]
    message = f"unclosed transport {transport!r}"
    arguments[0] = <PyObject*>message
    arguments[1] = <PyObject*>ResourceWarning
    arguments[2] = <PyObject*>transport
    cdef PyObject* result = call_vector(warn, arguments, 2, <PyObject*>SOURCE_KEYWORD)
    if result == NULL:
        PyErr_WriteUnraisable(transport)
    else:
        Py_DECREF(<object>result)
    return 0


cdef int attach(object server, object transport) except -1:
    server._attach(transport) if server_knows_transports else server._attach()
    return 0


cdef int detach(object server, object transport) except -1:
    server._detach(transport) if server_knows_transports else server._detach()
    return 0


cdef StreamTransport new_transport():
    # Not through the type, which refuses: Cython calls the constructor that it compiled.
    cdef StreamTransport transport = StreamTransport.__new__(StreamTransport)
    count_made(TRANSPORT)
    fill_base(transport)
    return transport


cdef void count_transport_freed() noexcept:
    count_freed(TRANSPORT)


cdef int install() except -1:
    """Give the class the slots of c/flow_control.h, after a look at whether its fields lie where they look for them."""
    count_made(TRANSPORT)
    cdef StreamTransport probe = StreamTransport.__new__(StreamTransport)
    # The base's struct, the pointer to the C methods, the object fields (None in a new object), the weak references.
    cdef Py_ssize_t first = sizeof(FlowControl) + sizeof(void*)
    cdef PyObject** fields = <PyObject**>(<char*><PyObject*>probe + first)
    cdef int i
    for i in range(OBJECT_FIELDS):
        if fields[i] != Py_None:
            raise ImportError(f"Object field {i} of the native transport is not where it was expected.")
    if fields[OBJECT_FIELDS] != NULL:
        raise ImportError("The weak references of the native transport are not where they were expected.")
    return install_slots(
        StreamTransport, transports._FlowControlMixin, first, OBJECT_FIELDS,
        first + OBJECT_FIELDS * sizeof(PyObject*), count_transport_freed)

install()
