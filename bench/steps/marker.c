/* Loaded into the process that callgrind watches: marks where a phase ends, and makes the clock deterministic.
 *
 * Each reading of CLOCK_MONOTONIC is CLOCK_STEP_NS after the last one: about what a step takes outside callgrind, whose
 * fiftyfold slowness would otherwise decide, differently each time, whether a loop that looks at the clock polls again.
 * Used through LD_PRELOAD for the clock and through ctypes for the marks.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

enum { CLOCK_STEP_NS = 150 };

static uint64_t now_ns = 1000000000000u; /* only the counted process's own readings move it */

int clock_gettime(clockid_t clock, struct timespec *result) {
    if (clock != CLOCK_MONOTONIC) return (int)syscall(SYS_clock_gettime, clock, result);
    now_ns += CLOCK_STEP_NS;
    result->tv_sec = (time_t)(now_ns / 1000000000u);
    result->tv_nsec = (long)(now_ns % 1000000000u);
    return 0;
}

/* Everything before is free: it ran at callgrind's much faster uncounted speed. */
void begin_counting(void) {
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
}

/* Writes the instructions since the last mark to the next numbered output file. */
void mark(void) { CALLGRIND_DUMP_STATS; }
