"""The queue of ready steps, first in, first out.

Lives here: a growing ring of owned handles. Not here: running them (turn), timing them (ledger).

Invariants:
 1. Each of the count entries from head on owns one reference; all other slots are garbage.
 2. The ring is consistent before any reference is dropped, because a destructor may schedule callbacks.
 3. Every change is made under the GIL, so another thread may append (call_soon_threadsafe) at any time.
"""

cimport cython
from cpython.ref cimport Py_DECREF
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from clearloop._engine.c.python cimport visitproc
from clearloop._engine.clock cimport now_ns


cdef enum:
    FIRST_CAPACITY = 64


@cython.final
cdef class ReadyQueue:
    """asyncio's loop._ready: behaves as far as asyncio's own code uses it like its collections.deque."""

    def __cinit__(self):
        self.ring = <ReadyEntry*>malloc(FIRST_CAPACITY * sizeof(ReadyEntry))
        if self.ring == NULL:
            raise MemoryError
        self.mask = FIRST_CAPACITY - 1

    def __dealloc__(self):
        self.drop_all()
        free(self.ring)

    cdef int grow(self) except -1:
        cdef Py_ssize_t capacity = self.mask + 1
        cdef Py_ssize_t until_wrap = min(capacity - self.head, self.count)
        cdef ReadyEntry* larger = <ReadyEntry*>malloc(2 * capacity * sizeof(ReadyEntry))
        if larger == NULL:
            raise MemoryError
        memcpy(larger, self.ring + self.head, until_wrap * sizeof(ReadyEntry))
        memcpy(larger + until_wrap, self.ring, (self.count - until_wrap) * sizeof(ReadyEntry))
        free(self.ring)
        self.ring = larger
        self.head = 0
        self.mask = 2 * capacity - 1
        return 0

    cdef int traverse(self, visitproc visit, void* argument) noexcept:
        cdef Py_ssize_t i
        cdef int stop
        for i in range(self.count):
            stop = visit(self.ring[(self.head + i) & self.mask].handle, argument)
            if stop:
                return stop
        return 0

    cdef void drop_all(self) noexcept:
        cdef ReadyEntry entry
        while self.count:
            entry = self.pop()
            Py_DECREF(<object>entry.handle)

    def __len__(self):
        return self.count

    def __iter__(self):
        cdef Py_ssize_t i
        return iter([<object>self.ring[(self.head + i) & self.mask].handle for i in range(self.count)])

    def append(self, handle):
        """Add a handle that is ready now; callable from any thread."""
        self.push(handle, now_ns())

    def popleft(self):
        """Remove and return the oldest handle; IndexError when there is none."""
        if self.count == 0:
            raise IndexError("The ready queue is empty.")
        cdef ReadyEntry entry = self.pop()
        handle = <object>entry.handle
        Py_DECREF(handle)
        return handle

    def clear(self):
        """Drop every handle without running it."""
        self.drop_all()
