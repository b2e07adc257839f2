"""The timer heap: handles by deadline, first in, first out among equal deadlines."""

from libc.stdint cimport uint64_t
from cpython.ref cimport PyObject

from clearloop._engine.c.python cimport visitproc
from clearloop._engine.handle cimport TimerHandle


cdef struct TimerEntry:
    double when_s
    uint64_t order       # counts up, so that equal deadlines keep the order in which they were scheduled
    PyObject* handle     # a TimerHandle, owned by the heap


cdef class TimerHeap:
    cdef TimerEntry* entries       # 4-ary heap: entry i's children are 4i+1 .. 4i+4
    cdef Py_ssize_t count
    cdef Py_ssize_t capacity
    cdef uint64_t next_order

    cdef int push(self, TimerHandle handle) except -1
    cdef TimerHandle pop(self)                     # the earliest; the heap must not be empty
    cdef int remove_at(self, Py_ssize_t index) except -1
    cdef void place_up(self, Py_ssize_t index, TimerEntry entry) noexcept
    cdef void place_down(self, Py_ssize_t index, TimerEntry entry) noexcept
    cdef int traverse(self, visitproc visit, void* argument) noexcept
    cdef void drop_all(self) noexcept
