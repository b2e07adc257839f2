"""The targets that the comparison must show, and how they are judged.

Times are on-CPU time of the server per request. Metrics: `cpu` is our CPU per request (or operation) over
theirs; `rate` our requests/s over theirs; `above_c` is (ours - C) / (uvloop - C), for machines where the
kernel's own cost dominates. `cell` is judged against a contender's name, or BEST_PEER: the cheapest Python
loop that is not ours.
"""

from dataclasses import dataclass

BEST_PEER = "best peer"


@dataclass(frozen=True)
class Target:
    """One limit for one cell; met when the ratio is at most (`rate`: at least) the limit."""

    cell: str
    metric: str
    against: str
    limit: float

    def is_met(self, ratio: float) -> bool:
        """Judge a measured ratio."""
        return ratio >= self.limit if self.metric == "rate" else ratio <= self.limit

    @property
    def sentence(self) -> str:
        """Say the target in words."""
        if self.metric == "above_c":
            return f"cost above C <= {self.limit:.2f}x uvloop's"
        if self.metric == "rate":
            return f"requests/s >= {self.limit:.2f}x {self.against}"
        return f"CPU <= {self.limit:.2f}x {self.against}"


def _cpu(cell: str, against: str, limit: float) -> Target:
    return Target(cell, "cpu", against, limit)


ALL = (
    _cpu("protocol-100x1KiB", "c", 1.08),
    _cpu("protocol-100x1KiB", "uvloop", 0.86),
    Target("protocol-100x1KiB", "above_c", "uvloop", 0.35),
    _cpu("protocol-100x1KiB", "zuvloop", 1.0),
    _cpu("protocol-100x1KiB", "rsloop", 1.0),
    _cpu("protocol-100x64KiB", BEST_PEER, 1.0),
    _cpu("protocol-100x64KiB", "c", 1.05),
    _cpu("buffered-100x1KiB", "uvloop", 0.78),
    _cpu("call_soon", "uvloop", 0.32),
    _cpu("call_later_cancel", "uvloop", 0.15),
    _cpu("create_task", "uvloop", 0.60),
    _cpu("sleep_zero", "uvloop", 0.50),
    Target("asgi", "rate", "uvloop", 1.24),
    Target("fastapi", "rate", "uvloop", 1.09),
    Target("aiohttp", "rate", "uvloop", 1.03),
    _cpu("stream-read", "uvloop", 0.57),
    _cpu("stream-read", "rsloop", 1.0),
    Target("stream-read", "above_c", "uvloop", 0.40),
    _cpu("stream-readline", "uvloop", 0.52),
    _cpu("stream-readline", "rsloop", 1.0),
    Target("stream-readline", "above_c", "uvloop", 0.33),
    _cpu("stream-readexactly", "uvloop", 0.55),
    _cpu("stream-readexactly", "rsloop", 1.0),
    Target("stream-readexactly", "above_c", "uvloop", 0.38),
    _cpu("sock", "uvloop", 0.31),
    _cpu("sock", "rloop", 0.50),
    Target("sock", "above_c", "uvloop", 0.18),
    _cpu("tls", "uvloop", 0.70),
    _cpu("udp", "uvloop", 0.75),
    _cpu("unix", "uvloop", 0.75),
    _cpu("own_queue", "uvloop", 0.30),
    _cpu("own_event", "uvloop", 0.38),
    _cpu("own_lock", "uvloop", 0.40),
)
