"""Making every default loop of a process a clearloop loop, and taking that back."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from clearloop.loop.choice import FALLBACK_REASON, EventLoop

__all__ = ["install", "uninstall"]

_replaced: list[tuple[Any, str, Any]] = []


def install() -> None:
    """Let asyncio.run(), asyncio.Runner, asyncio.new_event_loop() and asyncio.SelectorEventLoop make clearloop loops.

    A program that names another loop itself (uvloop, a loop_factory) keeps it. Loops that exist already stay what they
    are. Calling it twice is the same as calling it once; where clearloop falls back, there is nothing to install.
    """
    if _replaced or FALLBACK_REASON is not None or sys.platform == "win32":
        return
    from asyncio import unix_events

    places = [
        (getattr(unix_events, "_UnixDefaultEventLoopPolicy", None), "_loop_factory"),  # policies are on their way out
        (unix_events, "SelectorEventLoop"),
        (asyncio, "SelectorEventLoop"),
        (asyncio, "EventLoop"),  # from 3.13 on
        (unix_events, "EventLoop"),
    ]
    for owner, name in places:
        if hasattr(owner, name):
            _replaced.append((owner, name, getattr(owner, name)))
            setattr(owner, name, EventLoop)


def uninstall() -> None:
    """Take install() back; loops that were made meanwhile stay what they are."""
    while _replaced:
        owner, name, original = _replaced.pop()
        setattr(owner, name, original)
