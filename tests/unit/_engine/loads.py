"""Loads whose size the ledger's tests know: callbacks that spin for a stated time and measure themselves."""

from __future__ import annotations

import time


class Spin:
    """A callback that keeps the thread until the clock has moved on; `durations` are what it measured."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.durations: list[float] = []

    def __call__(self) -> None:
        began = now = time.monotonic()
        while now - began < self.seconds:
            now = time.monotonic()
        self.durations.append(now - began)
