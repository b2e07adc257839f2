"""The counters of native objects: what they tell in a release build and in a debug build."""

from __future__ import annotations

import contextlib

import pytest

from clearloop._engine import counters
from clearloop.loop.event_loop import EventLoop

KINDS = {"loop", "transport", "acceptor", "poller", "queued_chunk", "ready_entry", "timer_entry"}


def test_they_name_each_kind_of_object_with_a_count() -> None:
    found = counters.live_objects()
    assert found.keys() == KINDS
    assert all(type(count) is int and count >= 0 for count in found.values())
    assert found is not counters.live_objects()


def test_a_release_build_counts_nothing() -> None:
    if counters.enabled():
        pytest.skip("this is a debug build, which counts")
    with contextlib.closing(EventLoop()) as loop:
        loop.call_soon(str)
        assert set(counters.live_objects().values()) == {0}


def test_a_debug_build_counts_what_is_made_and_freed() -> None:
    if not counters.enabled():
        pytest.skip("this is a release build, which counts nothing (make debug)")
    before = counters.live_objects()
    loop = EventLoop()
    for _ in range(3):
        loop.call_soon(str)
        loop.call_later(1000, str)
    now = counters.live_objects()
    grown = {kind: now[kind] - before[kind] for kind in KINDS if now[kind] != before[kind]}
    assert grown == {"loop": 1, "poller": 1, "ready_entry": 3, "timer_entry": 3}
    loop.close()
    del loop
    assert counters.live_objects() == before
