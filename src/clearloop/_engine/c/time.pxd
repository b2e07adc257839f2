"""<time.h>: the one clock of the engine."""

from libc.stdint cimport int64_t


cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <time.h>
    /* The clock of time.monotonic(): CLOCK_UPTIME_RAW on macOS, where CPython reads mach_absolute_time();
       CLOCK_MONOTONIC elsewhere. */
    #ifdef __APPLE__
    #define CLEARLOOP_CLOCK CLOCK_UPTIME_RAW
    #else
    #define CLEARLOOP_CLOCK CLOCK_MONOTONIC
    #endif
    static inline int64_t clearloop_now_ns(void) {
        struct timespec now;
        clock_gettime(CLEARLOOP_CLOCK, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    }
    """
    int64_t now_ns "clearloop_now_ns"() noexcept
