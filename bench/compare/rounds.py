"""The order of a run: cell by cell, in each round every contender once, in random order; with progress.

Interleaving inside a round is what makes the ratios hold on a machine that others use too: a slow minute
hits all. A contender that fails a cell is recorded with its sentence and not tried again in that cell.
"""

import random
import sys
import time
from collections.abc import Iterator
from typing import Any

from bench.compare import contenders
from bench.compare.cells import Cell
from bench.compare.measure import Bench, ContenderError, measure_micro, measure_server

CellResult = dict[str, Any]


class Progress:
    """One line that says what runs now and how long the rest will take."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.start = time.monotonic()

    def show(self, what: str) -> None:
        """Print the line: rewritten in place on a terminal, one per tenth of the work elsewhere."""
        elapsed = time.monotonic() - self.start
        left = elapsed / self.done * (self.total - self.done) if self.done else float("nan")
        line = f"[{self.done}/{self.total}] {elapsed:.0f} s, {left:.0f} s left: {what}"
        if sys.stderr.isatty():
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        elif self.done % max(1, self.total // 10) == 0:
            print(line, file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Leave the line."""
        print(f"{self.done} measurements in {time.monotonic() - self.start:.0f} s", file=sys.stderr, flush=True)


def _lacks(cell: Cell, contender: str) -> str | None:
    """Say why a contender has no part in a cell by its nature."""
    if contender == contenders.C and not cell.c_floor:
        return "the C server does not do this work"
    return None


def new_result(cell: Cell) -> CellResult:
    """Return the empty record of one cell."""
    facts = {"connections": cell.connections, "size": cell.size, "transport": cell.transport}
    return {
        "name": cell.name,
        "group": cell.group,
        "title": cell.title,
        **facts,
        "rounds": [],
        "failures": {},
    }


def _server_rounds(bench: Bench, cell: Cell, names: list[str], rounds: int, progress: Progress) -> Iterator[CellResult]:
    result = new_result(cell)
    result["failures"] = {name: reason for name in names if (reason := _lacks(cell, name))}
    for index in range(rounds):
        for name in random.sample(names, len(names)):
            progress.show(f"{cell.title}: round {index + 1}/{rounds}, {name}")
            progress.done += 1
            if name in result["failures"]:
                continue
            try:
                sample = measure_server(bench, cell, name)
            except ContenderError as failure:
                result["failures"][name] = str(failure)
                continue
            per_request = sample["cpu_ns"] / sample["requests"]
            result["rounds"].append({"round": index, "contender": name, "cost_ns": per_request, **sample})
    yield result


def _micro_rounds(
    bench: Bench, cells: list[Cell], names: list[str], rounds: int, progress: Progress
) -> Iterator[CellResult]:
    results = {str(cell.operation): new_result(cell) for cell in cells}
    loops = [name for name in names if name != contenders.C]
    broken: set[str] = set()
    for index in range(rounds):
        for name in random.sample(loops, len(loops)):
            progress.show(f"operations: round {index + 1}/{rounds}, {name}")
            progress.done += 1
            if name in broken:
                continue
            try:
                measured = measure_micro(bench, list(results), name)
            except ContenderError as failure:
                broken.add(name)
                measured = {operation: {"absent": str(failure)} for operation in results}
            for operation, sample in measured.items():
                if "absent" in sample:
                    results[operation]["failures"][name] = sample["absent"]
                    continue
                entry = {"round": index, "contender": name, "cost_ns": min(sample["ns"]), **sample}
                results[operation]["rounds"].append(entry)
    yield from results.values()


def run(bench: Bench, cells: list[Cell], names: list[str], rounds: int) -> Iterator[CellResult]:
    """Measure every cell and yield its record as soon as it is complete."""
    servers = [cell for cell in cells if cell.server]
    micro = [cell for cell in cells if cell.operation]
    loops = len([name for name in names if name != contenders.C])
    progress = Progress(rounds * (len(servers) * len(names) + (loops if micro else 0)))
    for cell in servers[:1]:
        yield from _server_rounds(bench, cell, names, rounds, progress)
    if micro:
        yield from _micro_rounds(bench, micro, names, rounds, progress)
    for cell in servers[1:]:
        yield from _server_rounds(bench, cell, names, rounds, progress)
    progress.finish()
