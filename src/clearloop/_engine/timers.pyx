"""The timer heap.

Lives here: a 4-ary heap of owned TimerHandles in which each knows its index, so that cancel() removes it at once.
Not here: the clock, and running what is due (turn).

Invariants:
 1. Each of the count entries owns one reference, and its handle's heap_place is its index plus 1.
 2. No entry is earlier than its parent; equal deadlines compare by the order in which they were scheduled.
 3. The heap is consistent before any reference is dropped, because a destructor may schedule or cancel timers.

Why not lazily: most timers are time-outs, cancelled soon after they were made and therefore near the end of the heap,
where removal is one move; `python -m bench.compare --only call_later_cancel` measures it.
"""

cimport cython
from cpython.ref cimport PyObject, Py_DECREF, Py_INCREF
from libc.stdlib cimport free, malloc, realloc

from clearloop._engine.c.python cimport visitproc
from clearloop._engine.counters cimport TIMER_ENTRY, count_freed, count_made
from clearloop._engine.handle cimport NOT_IN_HEAP, TimerHandle


cdef enum:
    FIRST_CAPACITY = 64
    CHILDREN = 4


cdef inline bint is_earlier(TimerEntry left, TimerEntry right) noexcept:
    return left.when_s < right.when_s or (left.when_s == right.when_s and left.order < right.order)


@cython.final
cdef class TimerHeap:
    """asyncio's loop._scheduled: behaves as far as asyncio's own code uses it like its list."""

    def __cinit__(self):
        self.entries = <TimerEntry*>malloc(FIRST_CAPACITY * sizeof(TimerEntry))
        if self.entries == NULL:
            raise MemoryError
        self.capacity = FIRST_CAPACITY

    def __dealloc__(self):
        self.drop_all()
        free(self.entries)

    cdef int push(self, TimerHandle handle) except -1:
        cdef TimerEntry entry
        cdef TimerEntry* larger
        if self.count == self.capacity:
            larger = <TimerEntry*>realloc(self.entries, 2 * self.capacity * sizeof(TimerEntry))
            if larger == NULL:
                raise MemoryError
            self.entries = larger
            self.capacity *= 2
        entry.when_s = handle.when_s
        entry.order = self.next_order
        entry.handle = <PyObject*>handle
        Py_INCREF(handle)
        self.next_order += 1
        self.count += 1
        count_made(TIMER_ENTRY)
        self.place_up(self.count - 1, entry)
        return 0

    cdef TimerHandle pop(self):
        handle = <TimerHandle>self.entries[0].handle
        self.remove_at(0)
        return handle

    cdef int remove_at(self, Py_ssize_t index) except -1:
        cdef TimerHandle handle = <TimerHandle>self.entries[index].handle
        cdef TimerEntry last
        handle.heap_place = NOT_IN_HEAP
        self.count -= 1
        count_freed(TIMER_ENTRY)
        if index != self.count:
            last = self.entries[self.count]
            if index > 0 and is_earlier(last, self.entries[(index - 1) // CHILDREN]):
                self.place_up(index, last)
            else:
                self.place_down(index, last)
        Py_DECREF(handle)
        return 0

    cdef void place_up(self, Py_ssize_t index, TimerEntry entry) noexcept:
        cdef TimerEntry* entries = self.entries
        cdef Py_ssize_t parent
        while index > 0:
            parent = (index - 1) // CHILDREN
            if not is_earlier(entry, entries[parent]):
                break
            entries[index] = entries[parent]
            (<TimerHandle>entries[index].handle).heap_place = index + 1
            index = parent
        entries[index] = entry
        (<TimerHandle>entry.handle).heap_place = index + 1

    cdef void place_down(self, Py_ssize_t index, TimerEntry entry) noexcept:
        cdef TimerEntry* entries = self.entries
        cdef Py_ssize_t child, earliest, first_child, end
        while True:
            first_child = CHILDREN * index + 1
            if first_child >= self.count:
                break
            earliest = first_child
            end = min(first_child + CHILDREN, self.count)
            for child in range(first_child + 1, end):
                if is_earlier(entries[child], entries[earliest]):
                    earliest = child
            if is_earlier(entry, entries[earliest]):
                break
            entries[index] = entries[earliest]
            (<TimerHandle>entries[index].handle).heap_place = index + 1
            index = earliest
        entries[index] = entry
        (<TimerHandle>entry.handle).heap_place = index + 1

    cdef int traverse(self, visitproc visit, void* argument) noexcept:
        cdef Py_ssize_t i
        cdef int stop
        for i in range(self.count):
            stop = visit(self.entries[i].handle, argument)
            if stop:
                return stop
        return 0

    cdef void drop_all(self) noexcept:
        cdef TimerHandle handle
        while self.count:
            self.count -= 1
            count_freed(TIMER_ENTRY)
            handle = <TimerHandle>self.entries[self.count].handle
            handle.heap_place = NOT_IN_HEAP
            Py_DECREF(handle)

    def __len__(self):
        return self.count

    def __iter__(self):
        cdef Py_ssize_t i
        return iter([<object>self.entries[i].handle for i in range(self.count)])

    def clear(self):
        """Drop every timer without running it."""
        self.drop_all()
