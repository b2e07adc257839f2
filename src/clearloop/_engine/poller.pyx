"""The table of watched fds, shared by all pollers.

Lives here: who is told of which fd, registrations and their generations, staying apart from a forked parent.
Not here: the system calls (epoll, fallback) and what is done on an event (transport, acceptor, turn).

Invariants:
 1. watch.interest is what the kernel was told; it is 0 when the kernel was told nothing.
 2. A fd has an owner (a native transport or acceptor) or handles (add_reader, add_writer), never both.
 3. An event counts only while its generation is the watch's: a fd number that was closed, reused and registered
    again within one batch of events never gets the events of its predecessor.
 4. After a fork, the child never changes the kernel object that it shares with its parent.
"""

from cpython.ref cimport PyObject, Py_DECREF, Py_INCREF, Py_XDECREF
from libc.stdint cimport uint32_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from clearloop._engine.c.python cimport PyErr_SetFromErrno, visitproc
from clearloop._engine.c.unistd cimport F_GETFD, fcntl, pthread_atfork
from clearloop._engine.counters cimport POLLER, count_freed, count_made


cdef enum:
    FIRST_CAPACITY = 64

cdef unsigned int fork_count = 0

cdef void count_fork_nogil() noexcept nogil:
    global fork_count
    fork_count += 1

pthread_atfork(NULL, NULL, count_fork_nogil)


cdef class Poller:
    """Base of the pollers: the table. Subclasses implement register, wait, wake, reopen, shut and name."""

    def __cinit__(self, *args):
        self.capacity = FIRST_CAPACITY
        self.watches = <Watch*>calloc(FIRST_CAPACITY, sizeof(Watch))
        self.events = <Event*>calloc(MOST_EVENTS, sizeof(Event))
        self.event_capacity = MOST_EVENTS
        self.fork_count = fork_count
        if self.watches == NULL or self.events == NULL:
            raise MemoryError
        count_made(POLLER)

    def __dealloc__(self):
        count_freed(POLLER)
        free(self.watches)
        free(self.events)

    cdef int register(self, int fd, uint32_t interest, uint32_t generation, uint32_t previous) except -1:
        raise NotImplementedError

    cdef int make_room_for_events(self, Py_ssize_t count) except -1:
        cdef Event* larger
        if count > self.event_capacity:
            larger = <Event*>realloc(self.events, count * sizeof(Event))
            if larger == NULL:
                raise MemoryError
            self.events = larger
            self.event_capacity = count
        return 0

    cdef int wait(self, int timeout_ms) except -1:
        raise NotImplementedError

    cdef int wake(self) except -1:
        raise NotImplementedError

    cdef int reopen(self) except -1:
        raise NotImplementedError

    cdef int shut(self) except -1:
        raise NotImplementedError

    cdef str name(self):
        raise NotImplementedError

    cdef Watch* watch(self, int fd) except NULL:
        cdef Py_ssize_t capacity = self.capacity
        cdef Watch* larger
        if fd < 0:
            raise ValueError(f"Invalid file descriptor: {fd}")
        if fd >= capacity:
            # Asked before the table grows: a number far beyond the open files would cost memory, not an error.
            if fcntl(fd, F_GETFD) < 0:
                PyErr_SetFromErrno(OSError)
            while fd >= capacity:
                capacity *= 2
            larger = <Watch*>realloc(self.watches, capacity * sizeof(Watch))
            if larger == NULL:
                raise MemoryError
            memset(larger + self.capacity, 0, (capacity - self.capacity) * sizeof(Watch))
            self.watches = larger
            self.capacity = capacity
        return &self.watches[fd]

    cdef int set_interest(self, int fd, uint32_t interest) except -1:
        cdef Watch* watch = self.watch(fd)
        cdef uint32_t previous = watch.interest
        self.leave_parent_if_forked()
        if previous == 0:
            watch.generation += 1
        watch.interest = 0   # what holds if the kernel refuses
        self.register(fd, interest, watch.generation, previous)
        # Not by the pointer: a poller that runs Python code may have let the table grow.
        self.watches[fd].interest = interest
        return 0

    cdef int own(self, int fd, object owner, event_function on_event, uint32_t interest) except -1:
        """Give a fd to a native object, or change what an owner is told of; a new owner forgets old registrations."""
        cdef Watch* watch = self.watch(fd)
        if watch.owner == <PyObject*>owner:
            if watch.interest != interest:
                self.set_interest(fd, interest)
            return 0
        if watch.owner != NULL or watch.reader != NULL or watch.writer != NULL:
            self.forget(fd)
        self.set_interest(fd, interest)
        watch = &self.watches[fd]   # destructors may have let the table grow
        Py_INCREF(owner)
        watch.owner = <PyObject*>owner
        watch.on_event = on_event
        return 0

    cdef int disown(self, int fd) except -1:
        cdef Watch* watch = self.find(fd)
        cdef PyObject* owner
        if watch == NULL or watch.owner == NULL:
            return 0
        owner = watch.owner
        watch.owner = NULL
        watch.on_event = NULL
        try:
            self.set_interest(fd, 0)
        finally:
            Py_DECREF(<object>owner)
        return 0

    cdef object set_handle(self, int fd, uint32_t side, object handle):
        """Put a reader (side READABLE) or writer handle in place, or take it away with None; return the former."""
        cdef Watch* watch = self.watch(fd)
        cdef PyObject** place = &watch.reader if side == READABLE else &watch.writer
        cdef PyObject* former = place[0]
        if watch.owner != NULL:
            raise RuntimeError(f"File descriptor {fd} is used by transport {<object>watch.owner!r}")
        if handle is None:
            place[0] = NULL
        else:
            Py_INCREF(handle)
            place[0] = <PyObject*>handle
        try:
            # Told again even if nothing changed: the fd may be a new one under an old number.
            self.set_interest(fd, handle_interest(self.watch(fd)))
        except BaseException:
            self.forget(fd)
            if former != NULL:
                Py_DECREF(<object>former)
            raise
        if former == NULL:
            return None
        result = <object>former
        Py_DECREF(result)
        return result

    cdef int drop_all(self) except -1:
        cdef int fd
        for fd in range(<int>self.capacity):
            self.forget(fd)
            self.watches[fd].interest = 0
        return 0

    cdef int forget(self, int fd) except -1:
        """Drop every reference that the table holds for a fd. The kernel is not asked: the registration may be stale."""
        cdef Watch* watch = &self.watches[fd]
        cdef PyObject* owner = watch.owner
        cdef PyObject* reader = watch.reader
        cdef PyObject* writer = watch.writer
        watch.owner = watch.reader = watch.writer = NULL
        watch.on_event = NULL
        Py_XDECREF(owner)
        Py_XDECREF(reader)
        Py_XDECREF(writer)
        return 0

    cdef int leave_parent_if_forked(self) except -1:
        return self.leave_parent() if self.fork_count != fork_count else 0

    cdef int leave_parent(self) except -1:
        """In a forked child: take a kernel object of our own and register there what was registered."""
        cdef int fd
        cdef Watch* watch
        self.fork_count = fork_count
        self.reopen()
        for fd in range(<int>self.capacity):
            watch = &self.watches[fd]
            if watch.interest:
                try:
                    self.register(fd, watch.interest, watch.generation, 0)
                except OSError:
                    self.watches[fd].interest = 0   # closed since; nothing can come from it
        return 0

    cdef int traverse(self, visitproc visit, void* argument) noexcept:
        cdef Py_ssize_t fd
        cdef int stop
        for fd in range(self.capacity):
            stop = (visit_if_any(self.watches[fd].owner, visit, argument)
                    or visit_if_any(self.watches[fd].reader, visit, argument)
                    or visit_if_any(self.watches[fd].writer, visit, argument))
            if stop:
                return stop
        return 0


cdef int visit_if_any(PyObject* reference, visitproc visit, void* argument) noexcept:
    return visit(reference, argument) if reference != NULL else 0


cdef uint32_t handle_interest(Watch* watch) noexcept:
    return (READABLE if watch.reader != NULL else 0) | (WRITABLE if watch.writer != NULL else 0)
