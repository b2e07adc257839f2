"""Live native objects, counted in debug builds (make debug) and not at all in others."""


cdef enum Kind:
    LOOP
    TRANSPORT
    ACCEPTOR
    POLLER
    QUEUED_CHUNK         # bytes that wait in a write queue
    READY_ENTRY          # a handle owned by a ready queue
    TIMER_ENTRY          # a handle owned by a timer heap
    KINDS

cdef extern from *:
    """
    #ifndef CLEARLOOP_LIVE_COUNTERS
    #define CLEARLOOP_LIVE_COUNTERS 0
    #endif
    """
    const bint COUNTING "CLEARLOOP_LIVE_COUNTERS"

cdef void adjust(Kind kind, int change) noexcept

cdef inline void count_made(Kind kind) noexcept:
    if COUNTING:
        adjust(kind, 1)

cdef inline void count_freed(Kind kind) noexcept:
    if COUNTING:
        adjust(kind, -1)
