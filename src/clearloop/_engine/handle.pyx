"""Handles: what call_soon(), call_later() and call_at() return. The contract is asyncio.Handle's.

Lives here: one callback with its arguments and context; cancelling, calling and describing it; reporting its exception.
Not here: when it runs (ready, timers, turn).

Invariants:
 1. A handle that is cancelled holds neither callback nor arguments.
 2. call() owns the callback and its arguments while they run, so that a callback may cancel its own handle.
 3. call() alone enters and leaves the context; the exception handler runs after it was left.
 4. A TimerHandle is in a heap exactly while heap_place is not NOT_IN_HEAP, also one that nobody initialised.

Costs: no tuple is made for zero or one argument (15 ns saved a call).
"""

cimport cython
from cpython.ref cimport PyObject, Py_DECREF

from clearloop._engine.c.python cimport (
    PyContext_CopyCurrent, PyErr_GetRaisedException, call_no_args, call_one_arg, call_vector, try_enter_context,
    try_leave_context, tuple_items)

import asyncio
import sys
from asyncio import format_helpers


@cython.freelist(512)
cdef class Handle:
    """A callback that call_soon() scheduled; cancel() takes it back."""

    cdef int run(self) except -1:
        cdef PyObject* result = self.call()
        if result == NULL:
            return self.report_exception()
        Py_DECREF(<object>result)
        return 0

    cdef PyObject* call(self) noexcept:
        cdef object callback = self.callback
        cdef object arguments = self.arguments
        cdef object context = self.context
        cdef PyObject* result
        if try_enter_context(<PyObject*>context) < 0:
            return NULL
        if self.argument_count == 0:
            result = call_no_args(callback)
        elif self.argument_count == 1:
            result = call_one_arg(callback, arguments)
        else:
            result = call_vector(callback, tuple_items(arguments, 0), <size_t>self.argument_count, NULL)
        if try_leave_context(<PyObject*>context) < 0 and result != NULL:
            Py_DECREF(<object>result)
            result = NULL
        return result

    cdef int report_exception(self) except -1:
        cdef object error = PyErr_GetRaisedException()
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise error
        # asyncio.Handle's words for itself: class name, callback. One that cancelled its own handle is gone.
        callback = "None()" if self.is_cancelled else asyncio.Handle._repr_info(self)[1]
        report = {
            "message": f"Exception in callback {callback}",
            "exception": error,
            "handle": self,
        }
        if self._source_traceback:
            report["source_traceback"] = self._source_traceback
        self.loop.call_exception_handler(report)
        return 0

    cdef int mark_cancelled(self) except -1:
        self.is_cancelled = True
        if self.debug_notes is not None:
            (<DebugNotes>self.debug_notes).cancelled_repr = repr(self)
        self.callback = None
        self.arguments = None
        self.argument_count = 0
        return 0

    def cancel(self):
        """Take the callback back; a handle that has run or was cancelled stays as it is."""
        if not self.is_cancelled:
            self.mark_cancelled()

    def cancelled(self):
        """Tell whether cancel() was called."""
        return self.is_cancelled

    def get_context(self):
        """Return the contextvars.Context in which the callback runs."""
        return self.context

    def _run(self):
        if not self.is_cancelled:
            self.run()

    def _repr_info(self):
        return asyncio.Handle._repr_info(self)

    def __repr__(self):
        if self._repr is not None:
            return self._repr
        return f"<{' '.join(self._repr_info())}>"

    # The attributes that asyncio's own code and its tools read.

    @property
    def __class__(self):
        # isinstance(handle, asyncio.Handle) holds; a real subclass would be 60 ns slower to make.
        return asyncio.Handle

    @property
    def _callback(self):
        return self.callback

    @property
    def _args(self):
        if self.is_cancelled:
            return None
        if self.argument_count == 0:
            return ()
        return (self.arguments,) if self.argument_count == 1 else self.arguments

    @property
    def _cancelled(self):
        return self.is_cancelled

    @property
    def _context(self):
        return self.context

    @property
    def _loop(self):
        return self.loop

    @property
    def _repr(self):
        return None if self.debug_notes is None else (<DebugNotes>self.debug_notes).cancelled_repr

    @property
    def _source_traceback(self):
        return None if self.debug_notes is None else (<DebugNotes>self.debug_notes).source_traceback


@cython.final
cdef class TimerHandle(Handle):
    """A callback that call_later() or call_at() scheduled; ordered by when()."""

    def cancel(self):
        """Take the callback back and leave the timer heap at once, so that cancelled timers cost no memory."""
        if self.is_cancelled:
            return
        self.mark_cancelled()
        if self.heap_place != NOT_IN_HEAP:
            leave_heap(self)

    def when(self):
        """Return the deadline in seconds, on the clock of loop.time()."""
        return self.when_s

    def _repr_info(self):
        words = asyncio.Handle._repr_info(self)
        words.insert(2 if self.is_cancelled else 1, f"when={self.when_s}")
        return words

    @property
    def __class__(self):
        return asyncio.TimerHandle

    @property
    def _when(self):
        return self.when_s

    @property
    def _scheduled(self):
        return self.heap_place != NOT_IN_HEAP

    def __hash__(self):
        return hash(self.when_s)

    def __lt__(self, other):
        return self.when_s < (<TimerHandle>other).when_s if type(other) is TimerHandle else NotImplemented

    def __gt__(self, other):
        return self.when_s > (<TimerHandle>other).when_s if type(other) is TimerHandle else NotImplemented

    def __le__(self, other):
        return self < other or self == other if type(other) is TimerHandle else NotImplemented

    def __ge__(self, other):
        return self > other or self == other if type(other) is TimerHandle else NotImplemented

    def __eq__(self, other):
        if not type(other) is TimerHandle:
            return NotImplemented
        return (self.when_s == (<TimerHandle>other).when_s and self._callback == other._callback
                and self._args == other._args and self.is_cancelled == (<TimerHandle>other).is_cancelled)


@cython.final
cdef class DebugNotes:
    """What debug mode remembers of a handle."""


cdef leave_function leave_heap = NULL

cdef int set_leave_heap(leave_function leave) noexcept:
    global leave_heap
    leave_heap = leave
    return 0


cdef inline int fill(
        Handle handle, object loop, object callback, PyObject* const* arguments, Py_ssize_t count,
        object context) except -1:
    cdef Py_ssize_t i
    handle.callback = callback
    handle.loop = loop
    handle.context = PyContext_CopyCurrent() if context is None else context
    handle.argument_count = count
    if count == 1:
        handle.arguments = <object>arguments[0]
    elif count:
        handle.arguments = tuple([<object>arguments[i] for i in range(count)])
    return 0


cdef Handle new_handle(object loop, object callback, PyObject* const* arguments, Py_ssize_t count, object context):
    cdef Handle handle = Handle.__new__(Handle)
    fill(handle, loop, callback, arguments, count, context)
    return handle


cdef TimerHandle new_timer(
        object loop, double when_s, object callback, PyObject* const* arguments, Py_ssize_t count, object context):
    cdef TimerHandle handle = TimerHandle.__new__(TimerHandle)
    fill(handle, loop, callback, arguments, count, context)
    handle.when_s = when_s
    return handle


cdef int remember_source(Handle handle) except -1:
    # Native frames are not Python frames: frame 0 is the one that called call_soon().
    cdef DebugNotes notes = DebugNotes()
    handle.debug_notes = notes
    notes.source_traceback = format_helpers.extract_stack(sys._getframe(0))
    return 0
