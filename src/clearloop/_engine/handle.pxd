"""One scheduled callback. TimerHandle adds a deadline and its place in the timer heap."""

cimport cython
from cpython.ref cimport PyObject


cdef class Handle:
    cdef object callback           # None once cancelled
    cdef object arguments          # None; the argument itself when there is one; else a tuple
    cdef object context            # the contextvars.Context that the callback runs in
    cdef object loop               # for the exception handler and for debug mode
    cdef object debug_notes        # None, or a DebugNotes in debug mode
    cdef Py_ssize_t argument_count
    cdef bint is_cancelled
    cdef object __weakref__
    # A TimerHandle's; here so that both classes have one size, which lets them share one freelist.
    cdef double when_s
    cdef Py_ssize_t heap_place     # its index in the timer heap plus 1, or NOT_IN_HEAP

    cdef int run(self) except -1               # raises SystemExit and KeyboardInterrupt; reports everything else
    cdef PyObject* call(self) noexcept         # the callback's result; NULL with an exception set
    cdef int report_exception(self) except -1  # gives the exception that is set to the loop's exception handler
    cdef int mark_cancelled(self) except -1


@cython.final
cdef class TimerHandle(Handle):
    pass


cdef class DebugNotes:
    cdef object source_traceback   # where the handle was made
    cdef object cancelled_repr     # what it was before cancel()


cdef enum:
    NOT_IN_HEAP = 0

# How a timer that is cancelled leaves the heap of its loop: the core, which knows both, sets it.
ctypedef int (*leave_function)(TimerHandle handle) except -1
cdef int set_leave_heap(leave_function leave) noexcept

cdef Handle new_handle(object loop, object callback, PyObject* const* arguments, Py_ssize_t count, object context)
cdef TimerHandle new_timer(
    object loop, double when_s, object callback, PyObject* const* arguments, Py_ssize_t count, object context)
cdef int remember_source(Handle handle) except -1
