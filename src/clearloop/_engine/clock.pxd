"""The loop's one clock: nanoseconds of the monotonic clock, the same instant that time.monotonic() gives in seconds."""

from libc.stdint cimport int64_t

from clearloop._engine.c.time cimport now_ns


cdef inline double to_seconds(int64_t time_ns) noexcept:
    return <double>time_ns / 1e9
