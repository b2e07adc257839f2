"""The ledger: every step is accounted for, always.

Lives here: two log2 histograms (steps, lags), busy and idle time, counts; turning them into clearloop.facts records.
Not here: what the numbers mean, and names, tasks or stacks (nothing on the hot path makes a Python object).

Invariants:
 1. The clock is read once per step boundary and once per return of the poller, and for nothing else of the ledger's.
 2. Boundaries never go back; a duration is at least 0.
 3. running time = busy time + idle time; idle is the time asleep in the poller, busy is all the rest.

Cost: about 30 instructions a step, 26 of them the clock.
"""

cimport cython
from libc.math cimport ldexp
from libc.stdint cimport int64_t, uint64_t

from clearloop._engine.clock cimport now_ns, to_seconds

from clearloop.facts import Distribution, LoopStatistics


cdef double quantile_ns(Histogram* histogram, uint64_t count, double fraction) noexcept:
    """Interpolate within the bucket that holds the quantile; at most a factor of two from the exact value."""
    cdef double wanted = fraction * <double>count
    cdef double before = 0.0
    cdef double within
    cdef int bucket
    for bucket in range(BUCKETS):
        if before + <double>histogram.counts[bucket] >= wanted and histogram.counts[bucket]:
            within = (wanted - before) / <double>histogram.counts[bucket]
            return min(ldexp(1.0, bucket) * (1.0 + within), <double>histogram.max_ns)
        before += <double>histogram.counts[bucket]
    return <double>histogram.max_ns


cdef object distribution(Histogram* histogram):
    cdef uint64_t count = 0
    cdef int bucket
    for bucket in range(BUCKETS):
        count += histogram.counts[bucket]
    return Distribution(
        count=count,
        mean_s=to_seconds(histogram.total_ns) / count if count else 0.0,
        p50_s=quantile_ns(histogram, count, 0.50) / 1e9,
        p90_s=quantile_ns(histogram, count, 0.90) / 1e9,
        p99_s=quantile_ns(histogram, count, 0.99) / 1e9,
        max_s=to_seconds(histogram.max_ns),
    )


@cython.final
cdef class Ledger:
    """The loop's account of its own time."""

    cdef void begin_running(self) noexcept:
        self.running_since_ns = self.boundary_ns = self.timers_seen_ns = now_ns()
        self.last_poll_ns = 0   # the first turn always polls

    cdef void end_running(self) noexcept:
        self.running_ns += now_ns() - self.running_since_ns
        self.running_since_ns = 0

    def statistics(self, Py_ssize_t ready_depth, Py_ssize_t timers):
        """Return a clearloop.facts.LoopStatistics of everything since the loop was made."""
        cdef int64_t running_ns = self.running_ns
        if self.running_since_ns:
            running_ns += now_ns() - self.running_since_ns
        steps = distribution(&self.steps)
        return LoopStatistics(
            turns=self.turns,
            polls=self.polls,
            steps=steps.count,
            step=steps,
            lag=distribution(&self.lags),
            busy_s=to_seconds(running_ns - self.idle_ns),
            idle_s=to_seconds(self.idle_ns),
            utilization=<double>(running_ns - self.idle_ns) / <double>running_ns if running_ns else 0.0,
            ready_depth=ready_depth,
            ready_depth_max=self.deepest,
            timers=timers,
        )
