"""Who is compared: every event loop by name, how to make it, and why one is absent.

The C server is a contender too, but has no loop: `build.py` compiles it. Loops are made only inside child
processes, so one loop's import never shares a process with another's measurement.
"""

import asyncio
import importlib
import importlib.metadata
import os
import subprocess
import sys
from dataclasses import dataclass

OURS = "clearloop"
C = "c"


@dataclass(frozen=True)
class Contender:
    """One event loop (or the plain C server), as the report describes it."""

    name: str
    summary: str
    package: str | None = None
    since: tuple[int, int] = (3, 11)


ALL = (
    Contender(C, "plain C epoll echo server: the floor"),
    Contender("asyncio", "the standard library's selector loop"),
    Contender("asyncio-64k", "asyncio with _SelectorTransport.max_size = 65536"),
    Contender("uvloop", "uvloop", "uvloop"),
    Contender("rloop", "rloop", "rloop"),
    Contender("zuvloop", "zuvloop", "zuvloop", (3, 14)),
    Contender("rsloop", "rsloop", "rsloop", (3, 14)),
    Contender(OURS, "this project", "clearloop"),
)
NAMES = tuple(contender.name for contender in ALL)
BY_NAME = {contender.name: contender for contender in ALL}


def make_loop(name: str) -> asyncio.AbstractEventLoop:
    """Make the named loop in this process; ImportError when its package is not there."""
    if name == "asyncio":
        return asyncio.SelectorEventLoop()
    if name == "asyncio-64k":
        selector_events = importlib.import_module("asyncio.selector_events")
        selector_events._SelectorTransport.max_size = 65536
        return asyncio.SelectorEventLoop()
    package = BY_NAME[name].package
    if package is None:
        raise ValueError(f"{name!r} is not a Python event loop.")
    loop: asyncio.AbstractEventLoop = importlib.import_module(package).new_event_loop()
    return loop


def child_environment() -> dict[str, str]:
    """Return the environment of every measured child: our loop must never be its own fallback."""
    return {**os.environ, "CLEARLOOP_REQUIRE_NATIVE": "1"}


def absence(name: str) -> str | None:
    """Say why a Python contender cannot run here, or None when its loop was made in a child process."""
    contender = BY_NAME[name]
    if sys.version_info < contender.since:
        return f"needs Python {contender.since[0]}.{contender.since[1]} or newer"
    probe = f"from bench.compare.contenders import make_loop; make_loop({name!r}).close()"
    child = subprocess.run(
        [sys.executable, "-c", probe],
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if child.returncode == 0:
        return None
    lines = child.stderr.strip().splitlines()
    return lines[-1] if lines else f"making the loop ended with status {child.returncode}"


def version(name: str) -> str | None:
    """Return the installed version of a contender's package (of Python for asyncio; None for C)."""
    package = BY_NAME[name].package
    if package is not None:
        return importlib.metadata.version(package)
    return None if name == C else ".".join(map(str, sys.version_info[:3]))
