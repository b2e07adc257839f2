"""epoll, level-triggered, with an eventfd to be woken by. Linux only.

Level-triggered on purpose: what is not read now is told again, so no state is kept of what the kernel last said.
"""

cimport cython
from libc.errno cimport EBADF, EEXIST, EINTR, ENOENT, EPERM, errno
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from clearloop._engine.c.python cimport PyErr_SetFromErrno
from clearloop._engine.c.sys_epoll cimport (
    EFD_CLOEXEC, EFD_NONBLOCK, EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLERR, EPOLLHUP,
    EPOLLIN, EPOLLOUT, epoll_create1, epoll_ctl, epoll_event, epoll_wait, eventfd)
from clearloop._engine.c.unistd cimport unistd_close, unistd_read, unistd_write
from clearloop._engine.oserror cimport os_error
from clearloop._engine.poller cimport FAILED, HUNG_UP, MOST_EVENTS, READABLE, WRITABLE, Poller

assert (EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP) == (READABLE, WRITABLE, FAILED, HUNG_UP)


@cython.final
cdef class EpollPoller(Poller):
    """Watches fds with one epoll object."""

    def __cinit__(self):
        self.epoll_fd = self.wake_fd = -1
        self.kernel_events = <epoll_event*>calloc(MOST_EVENTS, sizeof(epoll_event))
        if self.kernel_events == NULL:
            raise MemoryError
        self.open()

    def __dealloc__(self):
        self.close_fds()
        free(self.kernel_events)

    cdef int open(self) except -1:
        cdef epoll_event wake_event
        self.epoll_fd = epoll_create1(EPOLL_CLOEXEC)
        if self.epoll_fd < 0:
            PyErr_SetFromErrno(OSError)
        self.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
        if self.wake_fd < 0:
            PyErr_SetFromErrno(OSError)
        wake_event.events = EPOLLIN
        wake_event.data.u64 = <uint64_t>0xFFFFFFFF
        if epoll_ctl(self.epoll_fd, EPOLL_CTL_ADD, self.wake_fd, &wake_event) < 0:
            PyErr_SetFromErrno(OSError)
        return 0

    cdef int close_fds(self) noexcept:
        if self.epoll_fd >= 0:
            unistd_close(self.epoll_fd)
        if self.wake_fd >= 0:
            unistd_close(self.wake_fd)
        self.epoll_fd = self.wake_fd = -1
        return 0

    cdef int register(self, int fd, uint32_t interest, uint32_t generation, uint32_t previous) except -1:
        cdef epoll_event event
        cdef int failed, number
        event.events = interest
        event.data.u64 = <uint64_t>generation << 32 | <uint32_t>fd
        if interest == 0:
            # A fd that was closed has left epoll by itself.
            failed = epoll_ctl(self.epoll_fd, EPOLL_CTL_DEL, fd, &event) if previous else 0
            if failed and errno not in (EBADF, ENOENT, EPERM):
                PyErr_SetFromErrno(OSError)
            return 0
        failed = epoll_ctl(self.epoll_fd, EPOLL_CTL_MOD if previous else EPOLL_CTL_ADD, fd, &event)
        if failed and errno == ENOENT:
            failed = epoll_ctl(self.epoll_fd, EPOLL_CTL_ADD, fd, &event)
        elif failed and errno == EEXIST:
            failed = epoll_ctl(self.epoll_fd, EPOLL_CTL_MOD, fd, &event)
        if failed:
            number = errno
            epoll_ctl(self.epoll_fd, EPOLL_CTL_DEL, fd, &event)   # as the table has it: not registered
            raise os_error(number)
        return 0

    cdef int wait(self, int timeout_ms) except -1:
        cdef int count, i, collected = 0
        cdef uint32_t fd
        cdef uint64_t wakes
        if timeout_ms == 0:
            count = epoll_wait(self.epoll_fd, self.kernel_events, MOST_EVENTS, 0)
        else:
            with nogil:
                count = self.sleep_nogil(timeout_ms)
        if count < 0:
            if errno != EINTR:
                PyErr_SetFromErrno(OSError)
            return 0
        for i in range(count):
            fd = <uint32_t>self.kernel_events[i].data.u64
            if fd == <uint32_t>0xFFFFFFFF:
                unistd_read(self.wake_fd, &wakes, sizeof(wakes))
                continue
            self.events[collected].fd = <int>fd
            self.events[collected].generation = <uint32_t>(self.kernel_events[i].data.u64 >> 32)
            self.events[collected].readiness = self.kernel_events[i].events
            collected += 1
        return collected

    cdef int sleep_nogil(self, int timeout_ms) noexcept nogil:
        return epoll_wait(self.epoll_fd, self.kernel_events, MOST_EVENTS, timeout_ms)

    cdef int wake(self) except -1:
        cdef uint64_t one = 1
        # EAGAIN means that the counter is full, hence that the poller wakes anyway; EBADF that the loop was closed.
        unistd_write(self.wake_fd, &one, sizeof(one))
        return 0

    cdef int reopen(self) except -1:
        self.close_fds()
        self.open()
        return 0

    cdef int shut(self) except -1:
        self.close_fds()
        return 0

    cdef str name(self):
        return "epoll"
