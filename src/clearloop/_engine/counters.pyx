"""How many native objects and hand-kept references are alive. The test base asserts the balance after every test.

In a release build the calls compile to nothing.
"""

cdef long live[KINDS]

NAMES = ("loop", "transport", "acceptor", "poller", "queued_chunk", "ready_entry", "timer_entry")


cdef void adjust(Kind kind, int change) noexcept:
    live[<int>kind] += change


def enabled():
    """Tell whether this is a debug build, which counts."""
    return bool(COUNTING)


def live_objects():
    """Return {name: count} of what is alive; all 0 when nothing is, and always 0 in a release build."""
    return {NAMES[kind]: live[kind] for kind in range(<int>KINDS)}
