"""The core of a loop: its parts, its state, and every way for a callback to get into it.

Lives here: call_soon, call_later, call_at, wake-up, readers and writers, the attributes of asyncio's loops that the
standard library's code reads and writes, and what garbage collection must know.
Not here: running anything (turn), sockets (transport, acceptor), everything that runs per loop (clearloop.loop).

Invariants:
 1. ready, timers and ledger are never None once __cinit__ has succeeded, also in a loop that garbage collection has
    cleared; poller is not None in a loop that passed require_open().
 2. Whoever makes work from outside a step wakes a sleeping poller.
 3. What was registered by settle_after_step() is settled before the next step and before the loop stops.
"""

cimport cython
from cpython.float cimport PyFloat_AS_DOUBLE
from cpython.ref cimport PyObject, Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc, realloc

from clearloop._engine.c.fastcall cimport install_methods
from clearloop._engine.c.python cimport PyErr_GetRaisedException, PyTypeObject, call_for_object, traverseproc, visitproc
from clearloop._engine.clock cimport now_ns, to_seconds
from clearloop._engine.counters cimport LOOP, count_freed, count_made
from clearloop._engine.handle cimport Handle, TimerHandle, new_handle, new_timer, remember_source, set_leave_heap
from clearloop._engine.ledger cimport Ledger
from clearloop._engine.poller cimport READABLE, WRITABLE, Poller, Watch
from clearloop._engine.ready cimport ReadyQueue
from clearloop._engine.timers cimport TimerHeap

import asyncio
import selectors
import time

# Bound at import: clearloop.install() may put our loop under the stock loop's name later.
cdef object StockLoop = asyncio.SelectorEventLoop
# Looked up at each call, as asyncio does: programs and tests put their own classes there.
cdef dict names_of_tasks = vars(asyncio.tasks)
cdef dict names_of_futures = vars(asyncio.futures)
cdef object monotonic = time.monotonic
cdef tuple LOOP_KEYWORD = ("loop",)


@cython.no_gc_clear
cdef class Core:
    """Base of LoopCore: what a loop has. It cannot run."""

    def __cinit__(self, *args, **kwargs):
        self.ready = ReadyQueue()
        self.timers = TimerHeap()
        self.file_objects = {}
        self.ledger = Ledger()
        self.clock = monotonic
        self.clock_is_native = True
        self.clock_resolution_s = time.get_clock_info("monotonic").resolution
        self.slow_callback_duration = 0.1
        self.read_buffer = <char*>malloc(READ_BUFFER_SIZE)
        if self.read_buffer == NULL:
            raise MemoryError
        count_made(LOOP)

    def __dealloc__(self):
        count_freed(LOOP)
        self.drop_references()
        free(self.unsettled)
        free(self.read_buffer)

    def _use_poller(self, Poller poller not None):
        """Set the poller; EventLoop's constructor calls it once, before anything else."""
        if self.poller is not None:
            raise RuntimeError("A loop keeps the poller that it was made with.")
        self.poller = poller

    def _close_poller(self):
        """Forget every watched fd and close the poller; EventLoop.close() calls it once, as the last act."""
        self.poller.drop_all()
        self.poller.shut()
        self.file_objects.clear()

    # -- scheduling: call_soon, call_later and call_at are installed below

    cdef int require_open(self) except -1:
        if self.closed:
            raise RuntimeError("Event loop is closed")
        if self.poller is None:
            raise RuntimeError(
                f"{type(self).__name__} was not initialised: its __init__() has not called EventLoop's;"
                " call super().__init__() first.")
        return 0

    cdef int check_caller(self, object callback, str method) except -1:
        self._check_thread()
        self._check_callback(callback, method)
        return 0

    cdef double now_s(self) except? -1:
        return to_seconds(now_ns()) if self.clock_is_native else self.clock()

    cdef int64_t ready_since(self) noexcept:
        # Inside a step its start is a clock value at hand; outside, the last boundary may be long ago.
        return self.ledger.boundary_ns if self.in_step else now_ns()

    cdef object make_timer(
            self, double when_s, object callback, PyObject* const* arguments, Py_ssize_t count, object context):
        cdef TimerHandle handle
        self.require_open()
        if when_s != when_s:
            raise ValueError("A timer cannot be due at NaN: the delay or the deadline that was given is not a number.")
        if self.debug:
            self.check_caller(callback, "call_at")
        handle = new_timer(self, when_s, callback, arguments, count, context)
        if self.debug:
            remember_source(handle)
        self.timers.push(handle)
        return handle

    cdef int wake(self) except -1:
        if self.sleeping:
            self.poller.wake()
        return 0

    def _write_to_self(self):
        if not self.closed:
            self.wake()

    def _add_callback(self, handle):
        if not handle._cancelled:
            self.ready.push(handle, now_ns())

    def _timer_handle_cancelled(self, handle):
        """Nothing to count: a cancelled timer has left the heap already."""

    def create_future(self):
        """Return an asyncio.Future of this loop."""
        cdef PyObject* arguments[1]
        arguments[0] = <PyObject*>self
        return call_for_object(names_of_futures["Future"], arguments, 0, <PyObject*>LOOP_KEYWORD)

    def create_task(self, coro, **kwargs):
        """Start a task that runs a coroutine; keywords as asyncio's create_task() of the running Python takes them."""
        cdef PyObject* arguments[2]
        if self.debug or self.task_factory is not None:
            return StockLoop.create_task(self, coro, **kwargs)
        self.require_open()
        if kwargs:
            return names_of_tasks["Task"](coro, loop=self, **kwargs)
        arguments[0] = <PyObject*>coro
        arguments[1] = <PyObject*>self
        return call_for_object(names_of_tasks["Task"], arguments, 1, <PyObject*>LOOP_KEYWORD)

    # -- readers and writers

    def _add_reader(self, fd, callback, *args, context=None):
        return self._watch(fd, READABLE, callback, args, context)

    def _add_writer(self, fd, callback, *args, context=None):
        return self._watch(fd, WRITABLE, callback, args, context)

    def _remove_reader(self, fd):
        return not self.closed and self._unwatch(self.fd_of(fd), READABLE)

    def _remove_writer(self, fd):
        return not self.closed and self._unwatch(self.fd_of(fd), WRITABLE)

    cdef int fd_of(self, object file_object) except -1:
        """The number of a fd or of an object with fileno(); a closed object is found by what it was added as."""
        cdef int fd
        if isinstance(file_object, int):
            fd = file_object
            if fd < 0:
                raise ValueError(f"Invalid file descriptor: {fd}")
            return fd
        try:
            fd = selectors._fileobj_to_fd(file_object)
        except ValueError:
            for known, added in self.file_objects.items():
                if added is file_object:
                    return known
            raise
        return fd

    def _watch(self, file_object, int side, callback, tuple args, context):
        self.require_open()
        cdef int fd = self.fd_of(file_object)
        handle = new_handle(self, callback, NULL, 0, context)
        handle.argument_count = len(args)
        handle.arguments = args[0] if len(args) == 1 else args
        if self.debug:
            remember_source(handle)
        former = self.poller.set_handle(fd, side, handle)
        if not isinstance(file_object, int):
            self.file_objects[fd] = file_object
        if former is not None:
            former.cancel()
        return handle

    def _unwatch(self, int fd, int side):
        cdef Watch* watch = self.poller.find(fd)
        if watch == NULL or (watch.reader if side == READABLE else watch.writer) == NULL:
            return False
        former = self.poller.set_handle(fd, side, None)
        if self.poller.watches[fd].interest == 0:
            self.file_objects.pop(fd, None)
        former.cancel()
        return True

    def _watched(self):
        """Return {fd: (file object, reader or owner, writer or owner)} of what the kernel watches for this loop."""
        cdef int fd
        cdef Watch* watch
        found = {}
        self.require_open()
        for fd in range(<int>self.poller.capacity):
            watch = self.poller.find(fd)
            if watch.interest:
                found[fd] = (
                    self.file_objects.get(fd, fd),
                    watched_by(watch.owner, watch.reader) if watch.interest & READABLE else None,
                    watched_by(watch.owner, watch.writer) if watch.interest & WRITABLE else None,
                )
        return found

    # -- the end of a step

    cdef int settle_after_step(self, object owner, settle_function settle) except -1:
        cdef Unsettled* larger
        cdef Py_ssize_t capacity
        if self.unsettled_count == self.unsettled_capacity:
            capacity = 2 * self.unsettled_capacity if self.unsettled_capacity else 16
            larger = <Unsettled*>realloc(self.unsettled, capacity * sizeof(Unsettled))
            if larger == NULL:
                raise MemoryError
            self.unsettled = larger
            self.unsettled_capacity = capacity
        Py_INCREF(owner)
        self.unsettled[self.unsettled_count].owner = <PyObject*>owner
        self.unsettled[self.unsettled_count].settle = settle
        self.unsettled_count += 1
        return 0

    cdef int settle(self) except -1:
        # From the last to the first, each taken off before it runs: it may register anew, or raise KeyboardInterrupt.
        cdef Unsettled* entry
        while self.unsettled_count:
            self.unsettled_count -= 1
            entry = &self.unsettled[self.unsettled_count]
            owner = <object>entry.owner
            Py_DECREF(owner)
            if entry.settle(owner) < 0:
                self.report_failure(owner)
        return 0

    cdef int report_failure(self, object owner) except -1:
        """Something but a protocol failed (memory, the kernel's limits): the owner is aborted, the loop goes on."""
        cdef object error = PyErr_GetRaisedException()
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise error
        self.call_exception_handler({"message": f"Serving {owner!r} failed", "exception": error, "transport": owner})
        owner.abort()
        return 0

    def _settle(self):
        """Send now what the running step has written so far."""
        self.settle()

    # -- garbage collection

    cdef int traverse(self, visitproc visit, void* argument) noexcept:
        cdef int stop = self.ready.traverse(visit, argument)
        cdef Py_ssize_t i
        if not stop:
            stop = self.timers.traverse(visit, argument)
        if not stop and self.poller is not None:
            stop = self.poller.traverse(visit, argument)
        for i in range(self.unsettled_count):
            if not stop:
                stop = visit(self.unsettled[i].owner, argument)
        return stop

    cdef void drop_references(self) noexcept:
        if self.ready is not None:
            self.ready.drop_all()
        if self.timers is not None:
            self.timers.drop_all()
        if self.poller is not None:
            self.poller.drop_all()
        while self.unsettled_count:
            self.unsettled_count -= 1
            Py_DECREF(<object>self.unsettled[self.unsettled_count].owner)

    # -- the loop's attributes, as the standard library's code names them

    @property
    def time(self):
        """The clock: a callable that returns seconds. time.monotonic, unless it was replaced (tests, virtual time)."""
        return monotonic if self.assigned_clock is None else self.assigned_clock

    @time.setter
    def time(self, clock):
        self.assigned_clock = clock
        self._use_clock(clock)

    @time.deleter
    def time(self):
        self.assigned_clock = None
        self._use_clock(monotonic)

    def _use_clock(self, clock):
        """Let timers go by another clock; EventLoop's constructor calls it for a subclass that overrides time()."""
        self.clock = clock
        self.clock_is_native = clock is monotonic

    def get_debug(self):
        """Tell whether debug mode is on."""
        return self.debug

    def is_closed(self):
        """Tell whether the loop was closed."""
        return self.closed

    def is_running(self):
        """Tell whether the loop is in run_forever()."""
        return self.thread_id is not None

    def stop(self):
        """Let run_forever() return after the turn that is running, or after one turn if none is."""
        self.stopping = True

    def _check_closed(self):
        self.require_open()

    @property
    def _ready(self):
        return self.ready

    @_ready.setter
    def _ready(self, fresh):
        if len(fresh):
            raise ValueError("The ready queue of a native loop cannot be replaced by one that holds handles.")
        self.ready.clear()

    @property
    def _scheduled(self):
        return self.timers

    @_scheduled.setter
    def _scheduled(self, fresh):
        if len(fresh):
            raise ValueError("The timer heap of a native loop cannot be replaced by one that holds handles.")
        self.timers.clear()

    @property
    def _timer_cancelled_count(self):
        return 0

    @_timer_cancelled_count.setter
    def _timer_cancelled_count(self, count):
        pass  # BaseEventLoop.__init__ sets it to 0, which it always is.

    @property
    def _closed(self):
        return self.closed

    @_closed.setter
    def _closed(self, bint closed):
        self.closed = closed

    @property
    def _stopping(self):
        return self.stopping

    @_stopping.setter
    def _stopping(self, bint stopping):
        self.stopping = stopping

    @property
    def _thread_id(self):
        return self.thread_id

    @_thread_id.setter
    def _thread_id(self, thread_id):
        self.thread_id = thread_id

    @property
    def _debug(self):
        return self.debug

    @_debug.setter
    def _debug(self, debug):
        self.debug = bool(debug)
        self.current_handle = None

    @property
    def _clock_resolution(self):
        return self.clock_resolution_s

    @_clock_resolution.setter
    def _clock_resolution(self, double resolution_s):
        self.clock_resolution_s = resolution_s

    @property
    def _task_factory(self):
        return self.task_factory

    @_task_factory.setter
    def _task_factory(self, factory):
        self.task_factory = factory

    @property
    def _current_handle(self):
        return self.current_handle

    @_current_handle.setter
    def _current_handle(self, handle):
        self.current_handle = handle


cdef object watched_by(PyObject* owner, PyObject* handle):
    return <object>owner if owner != NULL else <object>handle if handle != NULL else None


cdef object schedule_soon(object loop, PyObject* const* arguments, Py_ssize_t count, object context):
    cdef Core core = <Core>loop
    cdef object callback = <object>arguments[0]
    core.require_open()
    if core.debug:
        core.check_caller(callback, "call_soon")
    cdef Handle handle = new_handle(loop, callback, arguments + 1, count - 1, context)
    if core.debug:
        remember_source(handle)
    core.ready.push(handle, core.ready_since())
    return handle


cdef object schedule_later(object loop, PyObject* const* arguments, Py_ssize_t count, object context):
    cdef Core core = <Core>loop
    cdef object delay = <object>arguments[0]
    if delay is None:
        raise TypeError("delay must not be None")
    cdef double when_s
    if type(delay) is float:
        when_s = core.now_s() + PyFloat_AS_DOUBLE(delay)
    else:
        when_s = core.now_s() + delay   # whatever adds to a float, and Python's error for what does not
    return core.make_timer(when_s, <object>arguments[1], arguments + 2, count - 2, context)


cdef object schedule_at(object loop, PyObject* const* arguments, Py_ssize_t count, object context):
    if <object>arguments[0] is None:
        raise TypeError("when cannot be None")
    return (<Core>loop).make_timer(
        <object>arguments[0], <object>arguments[1], arguments + 2, count - 2, context)


install_methods(Core, schedule_soon, schedule_later, schedule_at)


cdef int leave_heap(TimerHandle handle) except -1:
    return (<Core>handle.loop).timers.remove_at(handle.heap_place - 1)

set_leave_heap(leave_heap)


# What Cython generates visits and clears the object fields; the C arrays of the parts are ours to add.

cdef traverseproc traverse_fields = (<PyTypeObject*>Core).tp_traverse

cdef int traverse_core(PyObject* core, visitproc visit, void* argument) noexcept:
    cdef int stop = traverse_fields(core, visit, argument)
    return stop if stop else (<Core>core).traverse(visit, argument)

cdef int clear_core(PyObject* core) noexcept:
    (<Core>core).drop_references()
    (<Core>core).task_factory = None
    (<Core>core).current_handle = None
    (<Core>core).clock = monotonic
    (<Core>core).assigned_clock = None
    (<Core>core).clock_is_native = True
    return 0

(<PyTypeObject*>Core).tp_traverse = traverse_core
(<PyTypeObject*>Core).tp_clear = clear_core
