"""One turn of the loop, in the order in which it happens. There is no second loop, also not for debug mode.

Lives here: the turn, running steps, starting and ending run_forever().
Not here: what steps do (handle, transport, acceptor), what is ready (ready, timers, poller).

Invariants:
 1. A step ends with what it wrote sent (settle) and accounted for (ledger), before the next begins.
 2. A turn runs the steps that were ready before its first one; what a step schedules runs in the next turn.
 3. SystemExit and KeyboardInterrupt leave the turn at once; every step not yet run stays ready.
 4. While sleeping is set, whoever adds work wakes the poller; it is set before signals are checked for the last time.
"""

from cpython.ref cimport PyObject, Py_DECREF
from libc.math cimport ceil
from libc.stdint cimport int64_t

from clearloop._engine.c.python cimport PyErr_CheckSignals
from clearloop._engine.clock cimport to_seconds
from clearloop._engine.core cimport Core
from clearloop._engine.handle cimport Handle, TimerHandle
from clearloop._engine.poller cimport FAILED, HUNG_UP, READABLE, WRITABLE, Event, Watch
from clearloop._engine.ready cimport ReadyEntry


cdef class LoopCore(Core):
    """The native part of clearloop.EventLoop."""

    cdef int run_turn(self) except -1:
        cdef int events = self.poll()
        cdef Py_ssize_t due
        if events:
            self.schedule_handles(events)
        if self.timers.count:
            self.take_due_timers()
        self.ledger.timers_seen_ns = self.ledger.boundary_ns
        due = self.ready.count
        if events:
            self.serve_sockets(events)
        if due:
            self.run_ready(due)
        self.ledger.turns += 1
        return 0

    cdef int poll(self) except -1:
        cdef int timeout_ms = self.poll_timeout_ms()
        cdef int events
        self.poller.leave_parent_if_forked()
        if timeout_ms == 0 and self.ready.count and (
                self.ledger.boundary_ns - self.ledger.last_poll_ns < POLL_SKIP_NS):
            self.ledger.slept = False
            return 0
        self.in_step = False
        self.sleeping = timeout_ms != 0
        try:
            PyErr_CheckSignals()
            if self.ready.count or self.stopping:
                timeout_ms = 0
            events = self.poller.wait(timeout_ms)
            self.ledger.end_poll(timeout_ms != 0)
            if events == 0:
                PyErr_CheckSignals()
        finally:
            self.sleeping = False
        self.in_step = True
        return events

    cdef int poll_timeout_ms(self) except? -2:
        cdef double wait_s
        if self.ready.count or self.stopping:
            return 0
        if self.timers.count == 0:
            return -1
        wait_s = self.timers.entries[0].when_s - (
            to_seconds(self.ledger.boundary_ns) if self.clock_is_native else self.now_s())
        if wait_s <= 0:
            return 0
        # Rounded up: a timer is late by less than a millisecond, but never early.
        return <int>ceil(min(wait_s * 1000, <double>LONGEST_SLEEP_MS))

    cdef int schedule_handles(self, int count) except -1:
        """Make the readers and writers of add_reader() and add_writer() ready whose fds are."""
        cdef Event* event
        cdef Watch* watch
        cdef int i
        for i in range(count):
            event = &self.poller.events[i]
            watch = &self.poller.watches[event.fd]
            if watch.on_event != NULL or watch.generation != event.generation:
                continue
            if watch.reader != NULL and event.readiness & ~<unsigned int>WRITABLE:
                self.schedule_watcher(event.fd, READABLE, watch.reader)
                watch = &self.poller.watches[event.fd]   # a destructor may have let the table grow
            if watch.writer != NULL and event.readiness & ~<unsigned int>READABLE:
                self.schedule_watcher(event.fd, WRITABLE, watch.writer)
        return 0

    cdef int schedule_watcher(self, int fd, unsigned int side, PyObject* handle) except -1:
        if (<Handle>handle).is_cancelled:
            self._unwatch(fd, side)
        else:
            self.ready.push(<object>handle, self.ledger.last_poll_ns)
        return 0

    cdef int serve_sockets(self, int count) except -1:
        """Let native transports and acceptors read and write; each does so in a step of its own."""
        cdef Event* event
        cdef Watch* watch
        cdef int i
        for i in range(count):
            event = &self.poller.events[i]
            watch = &self.poller.watches[event.fd]
            if watch.on_event == NULL or watch.generation != event.generation or watch.interest == 0:
                continue
            owner = <object>watch.owner
            if watch.on_event(owner, event.readiness & (watch.interest | FAILED | HUNG_UP)) < 0:
                self.report_failure(owner)
            self.end_step(self.ledger.last_poll_ns, owner)
        return 0

    cdef int take_due_timers(self) except -1:
        cdef TimerHandle handle
        cdef int64_t now = self.ledger.boundary_ns
        cdef int64_t since_ns
        cdef double until_s = self.clock_resolution_s + (to_seconds(now) if self.clock_is_native else self.now_s())
        while self.timers.count and self.timers.entries[0].when_s < until_s:
            handle = self.timers.pop()
            since_ns = now
            if self.clock_is_native and not self.ledger.slept:
                # Due while the loop was busy: late since its deadline, or since the last look at the timers if it was
                # past by then. After a sleep the kernel woke us for it, so it is ready now.
                since_ns = self.ledger.timers_seen_ns
                if handle.when_s > to_seconds(since_ns):
                    since_ns = <int64_t>(handle.when_s * 1e9)
            self.ready.push(handle, since_ns)
        return 0

    cdef int run_ready(self, Py_ssize_t remaining) except -1:
        cdef ReadyEntry entry
        if remaining > self.ledger.deepest:
            self.ledger.deepest = remaining
        while remaining and self.ready.count:
            remaining -= 1
            entry = self.ready.pop()
            handle = <object>entry.handle
            Py_DECREF(handle)
            if self.run_step(handle):
                self.end_step(entry.since_ns, handle)
        return 0

    cdef int run_step(self, object handle) except -1:
        """Run a handle; 0 when it was cancelled, so that there was no step."""
        if self.debug:
            self.current_handle = handle
        if type(handle) is Handle or type(handle) is TimerHandle:
            if (<Handle>handle).is_cancelled:
                return 0
            (<Handle>handle).run()
        else:
            if handle._cancelled:
                return 0
            handle._run()
        return 1

    cdef int end_step(self, int64_t ready_since_ns, object subject) except -1:
        """End the step of subject: the handle that ran, or the transport or acceptor that was served."""
        cdef int64_t duration_ns
        if self.unsettled_count:
            self.settle()
        duration_ns = self.ledger.end_step(ready_since_ns)
        if self.debug:
            self.current_handle = None
            if duration_ns >= self.slow_callback_duration * 1e9:
                self._log_slow_step(subject, to_seconds(duration_ns))
        return 0

    def run_forever(self):
        """Run until stop() is called."""
        self._run_forever_setup()
        self.begin_running()
        try:
            while True:
                self.run_turn()
                if self.stopping:
                    break
        finally:
            try:
                self.end_running()
            finally:
                self._run_forever_cleanup()

    def _run_once(self):
        """Run one turn; for programs that turn the loop themselves."""
        if self.in_step:
            self.run_turn()
            return
        self.begin_running()
        try:
            self.run_turn()
        finally:
            self.end_running()

    cdef int begin_running(self) except -1:
        self.require_open()
        self.ledger.begin_running()
        self.in_step = True
        return 0

    cdef int end_running(self) except -1:
        self.in_step = False
        self.current_handle = None
        self.ledger.end_running()
        return self.settle()

    def statistics(self):
        """Return a clearloop.facts.LoopStatistics of everything since the loop was made."""
        return self.ledger.statistics(self.ready.count, self.timers.count)

    def _poller_name(self):
        return self.poller.name()
