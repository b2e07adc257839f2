"""A listening stream socket whose connections become native transports."""

from clearloop._engine.core cimport Core


cdef class Acceptor:
    cdef Core core
    cdef object sock               # listening and non-blocking
    cdef object protocol_factory
    cdef object server
    cdef object context            # each connection's factory and transport are made in a copy of it
    cdef bint context_was_given    # by the standard library, which then passes it on (3.15)
    cdef int most_at_once          # connections taken in one event
    cdef int fd
    cdef int socket_type           # of the connections, with the flag that tells Python that they do not block
    cdef object __weakref__

    cdef int accept_waiting(self) except -1
    cdef int serve(self, int connection, object peername) except -1
    cdef int back_off(self, object error) except -1
    cdef int give_up(self, object error) except -1
    cdef int report(self, str message, object error) except -1
