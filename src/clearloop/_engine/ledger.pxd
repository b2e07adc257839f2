"""The ledger: how long steps took and waited, and how the loop's time divides into busy and idle."""

from libc.stdint cimport int64_t, uint64_t

from clearloop._engine.clock cimport now_ns


cdef enum:
    BUCKETS = 64         # bucket b counts durations of 2**b to 2**(b+1)-1 ns; bucket 0 also those of 0 ns


cdef extern from *:
    """
    static inline int clearloop_bucket(long long duration_ns) {
        return 63 - __builtin_clzll((unsigned long long)duration_ns | 1);
    }
    """
    int bucket_of "clearloop_bucket"(int64_t duration_ns) noexcept


cdef struct Histogram:
    uint64_t counts[BUCKETS]
    int64_t total_ns
    int64_t max_ns


cdef inline void record(Histogram* histogram, int64_t duration_ns) noexcept:
    histogram.counts[bucket_of(duration_ns)] += 1
    histogram.total_ns += duration_ns
    if duration_ns > histogram.max_ns:
        histogram.max_ns = duration_ns


cdef class Ledger:
    cdef Histogram steps           # from the start of a step to its end, the bytes it wrote sent
    cdef Histogram lags            # from ready to run
    cdef int64_t boundary_ns       # the last step boundary: one clock read ends a step and starts the next
    cdef int64_t last_poll_ns      # when the poller last returned
    cdef int64_t idle_ns           # asleep in the poller
    cdef int64_t running_ns        # in run_forever(), up to running_since_ns
    cdef int64_t running_since_ns  # 0 while the loop is not running
    cdef bint slept                # whether that poll slept
    cdef int64_t timers_seen_ns    # when timers were last looked at
    cdef uint64_t turns
    cdef uint64_t polls
    cdef Py_ssize_t deepest        # the longest ready queue that a turn has met

    cdef void begin_running(self) noexcept
    cdef void end_running(self) noexcept

    cdef inline int64_t end_step(self, int64_t ready_since_ns) noexcept:
        """Close the step that began at the last boundary and was ready since then; return its duration in ns."""
        cdef int64_t now = now_ns()
        cdef int64_t duration_ns = now - self.boundary_ns
        cdef int64_t lag_ns = self.boundary_ns - ready_since_ns
        record(&self.steps, duration_ns)
        record(&self.lags, lag_ns if lag_ns > 0 else 0)
        self.boundary_ns = now
        return duration_ns

    cdef inline void end_poll(self, bint slept) noexcept:
        cdef int64_t now = now_ns()
        if slept:
            self.idle_ns += now - self.boundary_ns
        self.boundary_ns = now
        self.last_poll_ns = now
        self.slept = slept
        self.polls += 1
