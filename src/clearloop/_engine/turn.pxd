"""The loop as it runs: one turn after the other."""

from libc.stdint cimport int64_t
from cpython.ref cimport PyObject

from clearloop._engine.core cimport Core


cdef enum:
    POLL_SKIP_NS = 25000       # with work ready, the kernel is not asked again within this time
    LONGEST_SLEEP_MS = 86400000    # a day, as asyncio's MAXIMUM_SELECT_TIMEOUT


cdef class LoopCore(Core):
    cdef int run_turn(self) except -1
    cdef int poll(self) except -1                  # the number of events collected
    cdef int poll_timeout_ms(self) except? -2      # 0: do not sleep; -1: sleep until an event
    cdef int schedule_handles(self, int count) except -1
    cdef int take_due_timers(self) except -1
    cdef int serve_sockets(self, int count) except -1
    cdef int run_ready(self, Py_ssize_t remaining) except -1
    cdef int run_step(self, object handle) except -1
    cdef int begin_running(self) except -1
    cdef int end_running(self) except -1
    cdef int end_step(self, int64_t ready_since_ns, object subject) except -1
    cdef int schedule_watcher(self, int fd, unsigned int side, PyObject* handle) except -1
