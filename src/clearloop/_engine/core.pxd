"""What a loop is made of, and how callbacks get into it. turn.pyx adds what makes it go round."""

from libc.stdint cimport int64_t
from cpython.ref cimport PyObject

from clearloop._engine.c.python cimport visitproc
from clearloop._engine.ledger cimport Ledger
from clearloop._engine.poller cimport Poller
from clearloop._engine.ready cimport ReadyQueue
from clearloop._engine.timers cimport TimerHeap


cdef enum:
    READ_BUFFER_SIZE = 262144

# Called at the end of a step with an object that asked for it by settle_after_step(): 0, or -1 with an exception set,
# which aborts the object.
ctypedef int (*settle_function)(object owner) noexcept

cdef struct Unsettled:
    PyObject* owner            # owned reference
    settle_function settle


cdef class Core:
    # Its parts, made once and never replaced.
    cdef ReadyQueue ready
    cdef TimerHeap timers
    cdef Ledger ledger
    cdef Poller poller
    cdef char* read_buffer         # READ_BUFFER_SIZE bytes that every transport of the loop reads into

    # Its state.
    cdef object thread_id          # of the thread in run_forever(), else None
    cdef object clock              # what timers go by: time.monotonic unless somebody replaced it
    cdef object assigned_clock     # what loop.time was set to, or None
    cdef object task_factory
    cdef dict file_objects         # {fd: the file object it was given as to add_reader() or add_writer()}
    cdef object current_handle     # the handle being run; debug mode only
    cdef public double slow_callback_duration    # seconds; debug mode logs steps that take as long
    cdef double clock_resolution_s
    cdef bint closed
    cdef bint stopping
    cdef bint debug
    cdef bint clock_is_native
    cdef bint in_step              # a step of this loop is running: bytes written now leave at its end
    cdef bint sleeping             # in the poller, or about to be: whoever adds work must wake it

    # What wrote in this step and waits for its end.
    cdef Unsettled* unsettled
    cdef Py_ssize_t unsettled_count
    cdef Py_ssize_t unsettled_capacity

    cdef int require_open(self) except -1
    cdef int check_caller(self, object callback, str method) except -1
    cdef double now_s(self) except? -1
    cdef int64_t ready_since(self) noexcept
    cdef object make_timer(
        self, double when_s, object callback, PyObject* const* arguments, Py_ssize_t count, object context)
    cdef int fd_of(self, object file_object) except -1
    cdef int wake(self) except -1
    cdef int settle_after_step(self, object owner, settle_function settle) except -1
    cdef int settle(self) except -1
    cdef int report_failure(self, object owner) except -1
    cdef int traverse(self, visitproc visit, void* argument) noexcept
    cdef void drop_references(self) noexcept
