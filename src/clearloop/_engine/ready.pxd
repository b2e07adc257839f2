"""The queue of ready steps: a ring of handles, each with the instant since which it is ready."""

from libc.stdint cimport int64_t
from cpython.ref cimport PyObject, Py_INCREF

from clearloop._engine.c.python cimport visitproc
from clearloop._engine.counters cimport READY_ENTRY, count_freed, count_made


cdef struct ReadyEntry:
    PyObject* handle     # owned by the ring: native Handle, TimerHandle or anything with asyncio.Handle's _run()
    int64_t since_ns     # ready since; its lag is the start of its step minus this


cdef class ReadyQueue:
    cdef ReadyEntry* ring
    cdef Py_ssize_t head           # index of the oldest entry
    cdef Py_ssize_t count
    cdef Py_ssize_t mask           # capacity - 1; the capacity is a power of two

    cdef int grow(self) except -1
    cdef int traverse(self, visitproc visit, void* argument) noexcept
    cdef void drop_all(self) noexcept

    cdef inline int push(self, object handle, int64_t since_ns) except -1:
        cdef ReadyEntry* entry
        if self.count > self.mask:
            self.grow()
        entry = &self.ring[(self.head + self.count) & self.mask]
        Py_INCREF(handle)
        entry.handle = <PyObject*>handle
        entry.since_ns = since_ns
        self.count += 1
        count_made(READY_ENTRY)
        return 0

    cdef inline ReadyEntry pop(self) noexcept:
        # The caller owns entry.handle from now on. The ring must not be empty.
        cdef ReadyEntry entry = self.ring[self.head]
        self.head = (self.head + 1) & self.mask
        self.count -= 1
        count_freed(READY_ENTRY)
        return entry
