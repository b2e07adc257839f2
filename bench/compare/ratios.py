"""From raw rounds to medians, spreads and ratios: the median of the ratios taken inside each round."""

import statistics
from collections.abc import Iterable
from typing import Any

from bench.compare import contenders
from bench.compare.targets import BEST_PEER, Target

Cell = dict[str, Any]
Document = dict[str, Any]


def values(cell: Cell, contender: str, field: str) -> dict[int, float]:
    """Return one field of one contender by round number."""
    return {entry["round"]: entry[field] for entry in cell["rounds"] if entry["contender"] == contender}


def median(numbers: Iterable[float]) -> float | None:
    """Return the median, or None of nothing."""
    known = list(numbers)
    return statistics.median(known) if known else None


def cost_ns(cell: Cell, contender: str) -> float | None:
    """Return the median CPU time per request or operation."""
    return median(values(cell, contender, "cost_ns").values())


def spread_ns(cell: Cell, contender: str) -> tuple[float, float]:
    """Return the smallest and the largest CPU time per request over the rounds."""
    known = values(cell, contender, "cost_ns").values()
    return min(known), max(known)


def rate(cell: Cell, contender: str) -> dict[int, float]:
    """Return requests per second by round; empty for operations without I/O."""
    return {
        entry["round"]: entry["requests"] / entry["wall_ns"] * 1e9
        for entry in cell["rounds"]
        if entry["contender"] == contender and "requests" in entry
    }


def paired(ours: dict[int, float], theirs: dict[int, float]) -> float | None:
    """Return the median over the rounds of ours / theirs."""
    return median(ours[index] / theirs[index] for index in ours.keys() & theirs.keys())


def cost_ratio(cell: Cell, contender: str, against: str) -> float | None:
    """Return the paired ratio of CPU per request, or None when one of the two was not measured."""
    return paired(values(cell, contender, "cost_ns"), values(cell, against, "cost_ns"))


def above_c(cell: Cell, contender: str) -> float | None:
    """Return the median of (contender - C) / (uvloop - C): the share of the cost that is not the kernel's."""
    ours, floor = values(cell, contender, "cost_ns"), values(cell, contenders.C, "cost_ns")
    theirs = values(cell, "uvloop", "cost_ns")
    return median(
        (ours[index] - floor[index]) / (theirs[index] - floor[index])
        for index in ours.keys() & floor.keys() & theirs.keys()
        if theirs[index] > floor[index]
    )


def measured(cell: Cell) -> list[str]:
    """Return the contenders of a cell that have numbers, in the table's order."""
    present = {entry["contender"] for entry in cell["rounds"]}
    return [name for name in contenders.NAMES if name in present]


def best_peer(cell: Cell) -> str | None:
    """Return the cheapest Python loop that is not ours."""
    peers = [name for name in measured(cell) if name not in {contenders.C, contenders.OURS}]
    return min(peers, key=lambda name: cost_ns(cell, name) or float("inf"), default=None)


def target_ratio(cell: Cell, target: Target) -> float | None:
    """Return the number that a target judges, or None when it was not measured."""
    ours = contenders.OURS
    if target.metric == "above_c":
        return above_c(cell, ours)
    against = best_peer(cell) if target.against == BEST_PEER else target.against
    if against is None:
        return None
    if target.metric == "rate":
        return paired(rate(cell, ours), rate(cell, against))
    return cost_ratio(cell, ours, against)
