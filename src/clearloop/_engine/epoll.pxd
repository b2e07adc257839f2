"""The poller of Linux."""

from clearloop._engine.c.sys_epoll cimport epoll_event
from clearloop._engine.poller cimport Poller


cdef class EpollPoller(Poller):
    cdef int epoll_fd
    cdef int wake_fd               # an eventfd; its registration carries fd -1
    cdef epoll_event* kernel_events

    cdef int open(self) except -1
    cdef int close_fds(self) noexcept
    cdef int sleep_nogil(self, int timeout_ms) noexcept nogil
