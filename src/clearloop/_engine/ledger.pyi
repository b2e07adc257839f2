from typing import final

from clearloop.facts import LoopStatistics

@final
class Ledger:
    """The loop's account of its own time."""

    def statistics(self, ready_depth: int, timers: int) -> LoopStatistics: ...
