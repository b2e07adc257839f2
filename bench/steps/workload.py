"""The process under callgrind: `python -m bench.steps.workload CELL --loop NAME --marker LIBRARY`.

A server marks the end of a phase at SIGUSR1 and prints "marked"; an operation marks by itself. The garbage
collector is off: when it runs depends on what the interpreter did before, and the count would move with it.
"""

import argparse
import asyncio
import ctypes
import gc
import signal

from bench.compare.contenders import make_loop
from bench.compare.micro import OPERATIONS
from bench.compare.server import KINDS
from bench.compare.servers.endpoint import Endpoint
from bench.steps.cells import BY_NAME, SIZE, Cell


class Marker:
    """Begins counting at the first mark; each later one ends a phase."""

    def __init__(self, library: str) -> None:
        self._library = ctypes.CDLL(library)
        self._counting = False

    def mark(self) -> None:
        """End a phase."""
        if self._counting:
            self._library.mark()
        else:
            self._counting = True
            self._library.begin_counting()

    def mark_aloud(self) -> None:
        """End a phase and tell the runner."""
        self.mark()
        print("marked", flush=True)


async def _serve(cell: Cell, marker: Marker) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, marker.mark_aloud)
    await KINDS[str(cell.server)](Endpoint(size=SIZE))


async def _operate(cell: Cell, marker: Marker) -> None:
    loop = asyncio.get_running_loop()
    operation, _ = OPERATIONS[str(cell.operation)]
    for count in (cell.warm, cell.short, cell.long):
        await operation(loop, count, asyncio)
        marker.mark()


def fill_holes() -> list[bytes]:
    """Take every hole that start-up left in malloc's heap.

    Which holes there are depends on the lengths of paths, and the cost of the requests' buffers with them: an echo
    was counted at 1,973 to 2,219 instructions in folders of different names.
    """
    return [bytes(size) for size in range(512, 16384, 16) for _ in range(16)]


def main() -> None:
    """Run one cell."""
    parser = argparse.ArgumentParser(prog="python -m bench.steps.workload")
    parser.add_argument("cell", choices=BY_NAME)
    parser.add_argument("--loop", required=True)
    parser.add_argument("--marker", required=True)
    arguments = parser.parse_args()
    cell, marker = BY_NAME[arguments.cell], Marker(arguments.marker)
    gc.disable()
    taken = fill_holes()
    run = _serve if cell.server else _operate
    with asyncio.Runner(loop_factory=lambda: make_loop(arguments.loop)) as runner:
        runner.run(run(cell, marker))
    del taken  # held until here


if __name__ == "__main__":
    main()
