"""A connected stream socket (TCP or Unix) and the protocol that it serves."""

from libc.stdint cimport uint32_t

from clearloop._engine.c.flow_control cimport _FlowControlMixin
from clearloop._engine.core cimport Core
from clearloop._engine.wire cimport WriteQueue


cdef enum Life:
    OPEN         # reads and writes
    CLOSING      # close() was called: what is queued is still sent
    LOST         # connection_lost() is scheduled: nothing is read or sent any more
    CLOSED       # connection_lost() was called, the socket is closed

cdef enum ReadSide:
    STARTING     # until connection_made() was called
    READING
    PAUSED       # by pause_reading(), also before reading started
    ENDED        # the peer sent its end of file and the protocol keeps the connection open

cdef enum WriteSide:
    WRITABLE_SIDE
    FINISHING    # write_eof() was called: the end of file follows what is queued
    FINISHED     # the end of file was sent


cdef enum:
    OBJECT_FIELDS = 11

cdef class StreamTransport(_FlowControlMixin):
    # The object fields come first and stand together: c/flow_control.h visits and clears them as one run.
    cdef Core core                 # the loop
    cdef WriteQueue queue          # written, not yet sent
    cdef object sock
    cdef object protocol
    cdef object server
    cdef object context            # the contextvars.Context of the protocol's calls
    cdef object start_context      # the context that was asked for, or None: as asyncio, a copy for each scheduled call
    cdef object data_received      # bound methods of the protocol, refreshed by set_protocol()
    cdef object get_buffer
    cdef object buffer_updated
    cdef object empty_waiter       # a future that waits for the queue to be empty (sendfile)
    cdef object __weakref__

    cdef Life life
    cdef ReadSide read_side
    cdef WriteSide write_side
    cdef int fd
    cdef bint is_buffered          # the protocol is a BufferedProtocol
    cdef bint waits_writable       # the kernel did not take everything: its event continues
    cdef bint is_corked            # the queue is sent at the end of the step
    cdef bint is_served            # an event of this transport is served: what is corked leaves when that ends
    cdef size_t last_read          # bytes of the last read: large ones are received in place
    cdef size_t high               # _high_water
    cdef size_t most_corked        # what is queued beyond this leaves at once
    cdef int lost_writes           # writes since the connection was lost

    cdef int serve(self, uint32_t readiness) except -1
    cdef int update_interest(self) except -1
    # reading
    cdef int read_ready(self) except -1
    cdef int read_shared(self) except -1
    cdef int read_fresh(self) except -1
    cdef int read_into_protocol(self) except -1
    cdef int deliver(self, object data) except -1
    cdef int end_read(self, ssize_t received) except -1
    # writing
    cdef int write_data(self, object data) except -1
    cdef int write_bytes(self, bytes data) except -1
    cdef int write_at_once(self, bytes data) except -1
    cdef int wait_until_writable(self) except -1
    cdef int count_lost_write(self) except -1
    cdef int settle(self) except -1
    cdef int flush(self) except -1
    cdef int after_sending(self, int result) except -1
    cdef int write_ready(self) except -1
    cdef int after_emptied(self) except -1
    cdef int send_end_of_file(self) except -1
    cdef int pause_protocol_if_full(self) except -1
    # the end
    cdef int schedule_lost(self, object error) except -1
    cdef int fail(self, object error, str message) except -1
    cdef int fail_by_protocol(self, str message) except -1


cdef StreamTransport new_transport()                        # its fields are still to be filled
cdef int attach(object server, object transport) except -1
