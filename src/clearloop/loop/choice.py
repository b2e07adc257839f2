"""Which loop this machine runs: the native one, or asyncio's own with one warning that says why."""

from __future__ import annotations

import asyncio
import os
import sys
import warnings

from clearloop.errors import NativeUnavailableError
from clearloop.loop import compat

__all__ = ["FALLBACK_REASON", "EventLoop", "new_event_loop"]


def native_loop() -> tuple[type[asyncio.SelectorEventLoop] | None, str | None]:
    """Return the native loop class and None, or None and the sentence that says why it cannot run here."""
    if sys.platform == "win32":
        return None, "Windows has no selector that asyncio's subprocesses and pipes work with."
    if sys.implementation.name != "cpython":
        return None, f"{sys.implementation.name} is not CPython, whose C API the native loop is written for."
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return None, "this Python runs without the GIL, under which the native loop guards its state."
    drift = "; ".join(compat.drifted())
    if drift:
        version = ".".join(map(str, sys.version_info[:3]))
        return None, f"asyncio of Python {version} has changed where the native loop joins it: {drift}."
    try:
        from clearloop.loop.event_loop import EventLoop as NativeEventLoop
    except (ImportError, AttributeError) as error:  # AttributeError: a private name of asyncio is gone
        return None, f"its compiled modules could not be imported ({error}); was the package built for this Python?"
    return NativeEventLoop, None


_native, FALLBACK_REASON = native_loop()

if FALLBACK_REASON is not None and os.environ.get("CLEARLOOP_REQUIRE_NATIVE", "0") not in ("", "0"):
    raise NativeUnavailableError(FALLBACK_REASON)
if FALLBACK_REASON is not None:
    warnings.warn(
        f"clearloop runs on asyncio's own event loop, without statistics: {FALLBACK_REASON}",
        RuntimeWarning,
        stacklevel=2,
    )

if _native is not None:
    EventLoop = _native
elif sys.platform == "win32":
    EventLoop = asyncio.ProactorEventLoop
else:
    EventLoop = asyncio.SelectorEventLoop


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop, for ``loop_factory=`` and for ``uvicorn --loop clearloop:new_event_loop``."""
    return EventLoop()
