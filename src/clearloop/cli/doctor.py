"""``clearloop doctor``: what this machine offers, and why a fallback was taken, if one was."""

from __future__ import annotations

import os
import platform
import sys
import time
from typing import TYPE_CHECKING

import clearloop
from clearloop.loop.choice import FALLBACK_REASON, EventLoop

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["doctor"]

HELP = """\
usage: clearloop doctor

Tells what this machine offers: Python, poller, clock, native build, versions. Where clearloop runs on asyncio's own
loop, it says why. The exit code is 0 when the native loop runs, else 1.
"""


def findings() -> Iterator[tuple[str, str]]:
    """Yield (what, finding) pairs."""
    yield "clearloop", clearloop.__version__
    yield "Python", f"{platform.python_implementation()} {platform.python_version()} ({sys.executable})"
    yield "system", f"{platform.system()} {platform.release()} on {platform.machine()}, {os.cpu_count()} CPUs"
    clock = time.get_clock_info("monotonic")
    yield "clock", f"{clock.implementation}, resolution {clock.resolution * 1e9:.0f} ns"
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        limits = ["unlimited" if limit == resource.RLIM_INFINITY else f"{limit:,}" for limit in (soft, hard)]
        yield "open files", limits[0] if soft == hard else f"{limits[0]} (may be raised to {limits[1]})"
    if FALLBACK_REASON is not None:
        yield "loop", f"asyncio's {EventLoop.__name__}, because {FALLBACK_REASON}"
        return
    from clearloop._engine import counters

    loop = EventLoop()
    try:
        yield "loop", f"native ({EventLoop.__module__}.{EventLoop.__name__})"
        yield "poller", loop._poller_name()  # type: ignore[attr-defined]  # the native loop has it
    finally:
        loop.close()
    yield "build", "debug, live objects are counted" if counters.enabled() else "release"


def doctor(words: list[str]) -> int:
    """Carry out ``clearloop doctor WORDS``."""
    if words:
        wants_help = words[0] in ("-h", "--help")
        print(HELP, end="", file=sys.stdout if wants_help else sys.stderr)
        return 0 if wants_help else 2
    for what, finding in findings():
        print(f"{what:<11} {finding}")
    return 0 if FALLBACK_REASON is None else 1
