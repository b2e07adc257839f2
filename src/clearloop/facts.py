"""Frozen records that cross rooms. Facts hold numbers and names; they never hold the objects they speak of."""

from dataclasses import dataclass

__all__ = ["Distribution", "LoopStatistics"]


@dataclass(frozen=True, slots=True)
class Distribution:
    """Durations in seconds, summed up by a log2 histogram.

    Quantiles are interpolated within a power of two, so each is within a factor of two of the exact value;
    count, mean and max are exact. All are 0 when nothing was counted.
    """

    count: int
    mean_s: float
    p50_s: float
    p90_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class LoopStatistics:
    """What an event loop has done since it was made.

    A *turn* is one iteration of the loop; a *step* is one callback, one resumption of a task or one event of a socket
    that is served; *lag* is the time from ready until run. Busy time is all time in ``run_forever()`` that was not
    spent asleep in the poller.

    Attributes:
        turns: iterations of the loop.
        polls: how often the kernel was asked for events; a busy loop skips some, so there may be fewer than turns.
        steps: steps run; equal to ``step.count``.
        step: how long steps took, the sending of the bytes they wrote included.
        lag: how long steps were ready before they ran.
        busy_s: seconds spent running.
        idle_s: seconds spent asleep, waiting for events or timers.
        utilization: busy / (busy + idle), 0 to 1; 0 for a loop that never ran.
        ready_depth: steps ready now.
        ready_depth_max: the most steps that were ready when a turn began to run them.
        timers: timers scheduled now.

    """

    turns: int
    polls: int
    steps: int
    step: Distribution
    lag: Distribution
    busy_s: float
    idle_s: float
    utilization: float
    ready_depth: int
    ready_depth_max: int
    timers: int
