"""A poller on the standard library's selectors: kqueue on macOS and the BSDs, poll or select elsewhere.

Slower than epoll.pyx by one Python call an event; everything above the poller is the same.
"""

cimport cython
from libc.stdint cimport uint32_t

from clearloop._engine.poller cimport READABLE, WRITABLE, Poller

import selectors
import socket


@cython.final
cdef class SelectorsPoller(Poller):
    """Watches fds with a selectors.BaseSelector."""

    def __cinit__(self, selector):
        self.selector = selector
        self.open()

    cdef int open(self) except -1:
        self.wake_reader, self.wake_writer = socket.socketpair()
        self.wake_reader.setblocking(False)
        self.wake_writer.setblocking(False)
        self.selector.register(self.wake_reader, selectors.EVENT_READ, None)
        return 0

    cdef int register(self, int fd, uint32_t interest, uint32_t generation, uint32_t previous) except -1:
        cdef int mask = 0
        if interest & READABLE:
            mask |= selectors.EVENT_READ
        if interest & WRITABLE:
            mask |= selectors.EVENT_WRITE
        if previous:
            # Registered anew, not modified: the fd may be a new one under an old number.
            self.selector.unregister(fd)
        if mask:
            self.selector.register(fd, mask, generation)
        return 0

    cdef int wait(self, int timeout_ms) except -1:
        cdef int collected = 0
        cdef int mask
        selected = self.selector.select(None if timeout_ms < 0 else <double>timeout_ms / 1000.0)
        self.make_room_for_events(len(selected))
        for key, mask in selected:
            if key.data is None:
                self.drain_wakes()
                continue
            self.events[collected].fd = key.fd
            self.events[collected].generation = key.data
            self.events[collected].readiness = (
                (READABLE if mask & selectors.EVENT_READ else 0) | (WRITABLE if mask & selectors.EVENT_WRITE else 0))
            collected += 1
        return collected

    cdef int drain_wakes(self) except -1:
        try:
            while self.wake_reader.recv(4096):
                pass
        except BlockingIOError:
            pass
        return 0

    cdef int wake(self) except -1:
        try:
            self.wake_writer.send(b"\0")
        except BlockingIOError:
            pass  # The socket pair is full, so the poller wakes anyway.
        return 0

    cdef int reopen(self) except -1:
        # The parent keeps its own reference to the kernel object; a selector given by the user may not know how to
        # make another of its kind.
        self.wake_reader.close()
        self.wake_writer.close()
        self.selector.close()
        self.selector = selectors.DefaultSelector()
        self.open()
        return 0

    cdef int shut(self) except -1:
        self.selector.unregister(self.wake_reader)
        self.wake_reader.close()
        self.wake_writer.close()
        self.selector.close()
        return 0

    cdef str name(self):
        return f"selectors ({type(self.selector).__name__})"
