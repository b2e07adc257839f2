"""The poller: which fds are watched for what, and who is told. epoll.pyx and fallback.pyx are its kinds."""

from libc.stdint cimport uint32_t
from cpython.ref cimport PyObject

from clearloop._engine.c.python cimport visitproc


cdef enum Readiness:     # the kernel's own bits on Linux (epoll.pyx checks it); other pollers translate
    READABLE = 1
    WRITABLE = 4
    FAILED = 8
    HUNG_UP = 16

# Called in the I/O phase with the owner of a watched fd: 0, or -1 with an exception set. It reports the errors of
# protocols itself; whatever else comes out costs the owner its fd, not the loop its life.
ctypedef int (*event_function)(object owner, uint32_t readiness) noexcept

cdef struct Event:
    int fd
    uint32_t generation
    uint32_t readiness

cdef struct Watch:
    event_function on_event    # NULL: the fd is not owned; its reader and writer handles are scheduled instead
    PyObject* owner            # owned reference; NULL exactly while on_event is
    PyObject* reader           # owned references to Handles, or NULL
    PyObject* writer
    uint32_t interest          # READABLE | WRITABLE as the kernel was told; 0: not registered
    uint32_t generation        # counts up with every registration, so that events of an earlier one are stale


cdef class Poller:
    cdef Watch* watches            # indexed by fd
    cdef Py_ssize_t capacity
    cdef Event* events             # what the last wait() collected
    cdef Py_ssize_t event_capacity
    cdef unsigned int fork_count   # of the process that this poller was made in

    # The kernel's side.
    cdef int register(self, int fd, uint32_t interest, uint32_t generation, uint32_t previous) except -1
    cdef int wait(self, int timeout_ms) except -1          # the number of events; 0 on a signal
    cdef int wake(self) except -1                          # from any thread: make a sleeping wait() return
    cdef int reopen(self) except -1                        # in a forked child: leave the parent's kernel object alone
    cdef int shut(self) except -1
    cdef str name(self)

    # The table's side.
    cdef Watch* watch(self, int fd) except NULL
    cdef int set_interest(self, int fd, uint32_t interest) except -1
    cdef int own(self, int fd, object owner, event_function on_event, uint32_t interest) except -1
    cdef int disown(self, int fd) except -1
    cdef object set_handle(self, int fd, uint32_t side, object handle)   # the handle it replaces, or None
    cdef int forget(self, int fd) except -1
    cdef int leave_parent(self) except -1
    cdef int leave_parent_if_forked(self) except -1
    cdef int make_room_for_events(self, Py_ssize_t count) except -1
    cdef int drop_all(self) except -1
    cdef int traverse(self, visitproc visit, void* argument) noexcept

    cdef inline Watch* find(self, int fd) noexcept:        # NULL when the fd was never watched
        return &self.watches[fd] if 0 <= fd < self.capacity else NULL


cdef enum:
    MOST_EVENTS = 1024       # collected by one wait()

cdef uint32_t handle_interest(Watch* watch) noexcept
