"""The poller of every Unix without epoll, and of loops that were given a selector."""

from clearloop._engine.poller cimport Poller


cdef class SelectorsPoller(Poller):
    cdef readonly object selector      # a selectors.BaseSelector; each key's data is the generation
    cdef object wake_reader            # a non-blocking socket pair to be woken by
    cdef object wake_writer

    cdef int open(self) except -1
    cdef int drain_wakes(self) except -1
