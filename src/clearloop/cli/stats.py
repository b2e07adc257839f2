"""What ``clearloop run --stats`` prints: the statistics of every loop that the program made."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO
from weakref import WeakSet

from clearloop.loop.choice import FALLBACK_REASON, EventLoop

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Self

    from clearloop.facts import Distribution, LoopStatistics

__all__ = ["Recorder", "describe"]

MILLISECOND_S = 1e-3


def duration(seconds: float) -> str:
    """Return a duration with three significant digits and its unit."""
    if seconds < MILLISECOND_S:
        return f"{seconds * 1e6:.3g} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def describe_distribution(name: str, values: Distribution) -> str:
    """Return one line of quantiles."""
    quantiles = (("p50", values.p50_s), ("p90", values.p90_s), ("p99", values.p99_s), ("max", values.max_s))
    return f"  {name:<6}" + "   ".join(f"{label} {duration(value):>8}" for label, value in quantiles)


def describe(statistics: LoopStatistics) -> str:
    """Return a loop's statistics as a few lines of text."""
    return "\n".join(
        (
            (
                f"  busy   {statistics.utilization:.1%} of {duration(statistics.busy_s + statistics.idle_s)}"
                f" ({duration(statistics.busy_s)} busy, {duration(statistics.idle_s)} idle)"
            ),
            (
                f"  steps  {statistics.steps:,} in {statistics.turns:,} turns with {statistics.polls:,} polls;"
                f" at most {statistics.ready_depth_max:,} ready at once"
            ),
            describe_distribution("step", statistics.step),
            describe_distribution("lag", statistics.lag),
        ),
    )


class Recorder:
    """While it is entered, notes every clearloop loop; on exit prints the statistics of those that ran."""

    def __init__(self, output: TextIO) -> None:
        self.output = output
        self.ended: list[LoopStatistics] = []
        self.open: WeakSet[Any] = WeakSet()

    def __enter__(self) -> Self:
        if FALLBACK_REASON is None:
            self.original_init, self.original_close = EventLoop.__init__, EventLoop.close
            recorder, init, close = self, EventLoop.__init__, EventLoop.close

            def noting_init(loop: Any, *args: Any, **kwargs: Any) -> None:
                init(loop, *args, **kwargs)
                recorder.open.add(loop)

            def noting_close(loop: Any) -> None:
                if loop in recorder.open and not loop.is_running():
                    recorder.open.discard(loop)
                    recorder.ended.append(loop.statistics())
                close(loop)

            EventLoop.__init__ = noting_init  # type: ignore[method-assign, assignment]  # for the length of one program
            EventLoop.close = noting_close  # type: ignore[method-assign, assignment]  # for the length of one program
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if FALLBACK_REASON is not None:
            print(f"clearloop: no statistics: {FALLBACK_REASON}", file=self.output)
            return
        EventLoop.__init__ = self.original_init  # type: ignore[method-assign]  # as it was
        EventLoop.close = self.original_close  # type: ignore[method-assign]  # as it was
        ran = [record for record in (*self.ended, *(loop.statistics() for loop in self.open)) if record.turns]
        if not ran:
            print("clearloop: no clearloop loop ran in this process.", file=self.output)
        for number, record in enumerate(ran, 1):
            print(f"clearloop: loop {number} of {len(ran)}", file=self.output)
            print(describe(record), file=self.output)
